"""Self-certainty of a rationale: its definitions, its bounds, and the sources that can tell it."""
