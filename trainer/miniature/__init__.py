"""The whole road on a laptop: a tiny model through SFT, GRPO and evaluation, by the very commands one uses on GPUs."""
