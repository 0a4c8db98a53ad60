"""What the server makes of HTTP, beside named peers on the same uvicorn."""
