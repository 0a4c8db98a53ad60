"""Training runs over their steps: the metrics of `history.jsonl`, smoothed, and by how much each of them changed."""
