"""Pages as long and messy as a real shop's."""
