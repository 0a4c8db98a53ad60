"""Shopping sessions: what they are, where they come from, and what a policy is trained on."""
