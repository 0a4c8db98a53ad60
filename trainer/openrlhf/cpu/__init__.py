"""The unedited OpenRLHF on a machine without a GPU: real Ray, DeepSpeed and vLLM, a few of their CUDA calls redirected.

It runs `python -m trainer.openrlhf.cpu MODULE ARGS…` as `python -m MODULE ARGS…` would run on GPUs. Every process of
the run (workers of Ray, vLLM's engine core) is changed alike, by a `sitecustomize.py` on PYTHONPATH; nothing on disk
is.

Traps, all found by running into them:

- ZeRO-3 with two CPU ranks corrupts weights: NaN, and exit status 0. Use ZeRO-2; recipes refuse anything else, and the
  launcher stops at the first metric that is not finite.
- A rollout actor that dies leaves the trainer waiting for ever. The launcher stops a run that shows no sign of life.
- Weights travel from DeepSpeed to vLLM over TCP, which needs `--vllm.sync_backend gloo` without `--vllm.sync_with_ray`.
- torch builds an optimizer when it is first asked for, under a lock that a killed run leaves behind, and the next one
  waits for. Here the lock goes with whoever held it.
- Ray listens on every address of the machine: only the run's own processes have the token that it asks for.
- OpenRLHF and its vLLM know 16-bit weights alone, and a CPU without AVX-512 takes ten times as long for products of
  bfloat16: there they are computed in float32 and rounded.
- Flash attention is not there: `--ds.attn_implementation sdpa`, and neither packing nor ring attention.
- `torchvision` in the environment breaks the imports of a text model.
"""
