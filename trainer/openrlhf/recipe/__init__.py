"""Recipes: what a run is, with OpenRLHF's own flags in it."""
