"""A run while it goes on: its folder, its process, its steps."""
