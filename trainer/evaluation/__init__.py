"""How well a policy predicts shoppers: figures with intervals, beside what trivial policies would score."""
