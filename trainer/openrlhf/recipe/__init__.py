"""Recipes: what a run is, and the exact command that makes it."""
