"""Completions for the rows of an RL file, by vLLM or by transformers, as rollouts that `shop-r1 evaluate` reads.

Only `transformers_engine` imports torch, only `vllm_engine` vLLM, and only those two and `chat` transformers.
"""
