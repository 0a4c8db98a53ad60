"""Why shoppers did what they did: missing rationales, written by a model behind an OpenAI-compatible endpoint."""
