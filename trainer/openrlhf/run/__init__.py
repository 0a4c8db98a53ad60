"""A run: its exact command, and while it goes on its folder, its process, its steps."""
