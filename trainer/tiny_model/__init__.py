"""Tiny Qwen2 models, trained from nothing on the storefront's sessions: the demo model, and stand-ins for real ones."""
