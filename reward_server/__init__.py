"""Score rollouts of LLMs that simulate online shoppers with the reward of Shop-R1 (arXiv 2507.17842)."""

__version__ = "0.1.0"
