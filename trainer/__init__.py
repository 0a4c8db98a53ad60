"""Train and evaluate LLMs that simulate online shoppers against the reward server."""
