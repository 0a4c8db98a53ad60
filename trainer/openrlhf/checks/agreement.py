"""Settings that OpenRLHF takes one by one but that do not go together: it would hang, crash late or learn amiss.

Each rule is what OpenRLHF 0.11.2 does; the comments say where.
"""

from collections.abc import Callable, Iterator

from trainer.openrlhf.checks.batches import batches, group
from trainer.openrlhf.problems import FlagError
from trainer.openrlhf.recipe.flags import Read
from trainer.openrlhf.recipe.recipe import Recipe


def check_flags(recipe: Recipe, flags: Read) -> None:
    """Raise FlagError for the first settings of a recipe that do not go together.

    `flags` are OpenRLHF's, with its defaults where they are known.
    """
    rules: tuple[Callable[[Recipe, Read], Iterator[str]], ...] = (
        _of_counts,
        _of_values,
        _of_cpu,
        _of_groups,
        _of_batches,
    )
    if recipe.trainer == "grpo":
        rules += (_of_certainty, _of_placement, _of_rollouts)
    for rule in rules:
        for problem in rule(recipe, flags):
            raise FlagError(problem)


_COUNTS = (
    "data.max_len",
    "data.max_samples",
    "ds.ring_attn_size",
    "ds.tensor_parallel_size",
    "rollout.batch_size",
    "rollout.max_new_tokens",
    "rollout.micro_batch_size",
    "rollout.n_samples_per_prompt",
    "train.batch_size",
    "train.max_epochs",
    "train.micro_batch_size",
    "train.num_episodes",
    "vllm.tensor_parallel_size",
)


def _of_counts(_recipe: Recipe, flags: Read) -> Iterator[str]:
    for name in _COUNTS:
        if (value := flags.count(name, 1)) < 1:
            yield f"openrlhf.{name}: {value}, and at least 1 is needed"


def _of_cpu(recipe: Recipe, flags: Read) -> Iterator[str]:
    if recipe.device == "gpu":
        return
    if recipe.nodes > 1 or recipe.gpus_per_node > 1:
        yield "device: on a CPU there is one node with one process that trains: set nodes and gpus_per_node to 1"
    if flags.count("ds.zero_stage", 2) == 3:
        yield "openrlhf.ds.zero_stage: ZeRO-3 corrupts weights on a CPU without a word: set it to 2"
    if flags.is_on("ds.packing_samples") or flags.count("ds.ring_attn_size", 1) > 1:
        yield "openrlhf.ds.packing_samples: packing and ring attention need flash attention, which a CPU has not"
    if "flash" in flags.text("ds.attn_implementation", "flash_attention_2"):
        yield "openrlhf.ds.attn_implementation: a CPU has no flash attention: set it to sdpa"
    if recipe.trainer == "grpo":
        if flags.text("vllm.sync_backend", "nccl") != "gloo" or flags.is_on("vllm.sync_with_ray"):
            yield "openrlhf.vllm.sync_backend: weights reach vLLM on a CPU by gloo alone, without vllm.sync_with_ray"
        if flags.is_on("train.colocate_all"):
            yield "openrlhf.train.colocate_all: vLLM cannot share its processor on a CPU: set train.colocate_actor_ref"
        for name in ("vllm.num_engines", "vllm.tensor_parallel_size"):
            if (value := flags.count(name, 1)) != 1:
                yield f"openrlhf.{name}: {value}, and on a CPU there is one vLLM engine of one process: set it to 1"
        if flags.text("algo.advantage.estimator", "gae") == "gae":
            yield "openrlhf.algo.advantage.estimator: gae trains a critic, for which a run on a CPU has no place"
        if not flags.is_on("train.colocate_actor_ref") and flags.number("algo.kl.init_coef", 0.01) > 0:
            yield "openrlhf.train.colocate_actor_ref: on a CPU, policy and reference are in one place: set it to true"


def _of_values(recipe: Recipe, flags: Read) -> Iterator[str]:
    """What vLLM refuses only once it is up, and what OpenRLHF divides by (ppo_trainer.py:394, actor.py:271)."""
    if flags.count("ckpt.save_steps", -1) == 0:
        yield "openrlhf.ckpt.save_steps: 0 steps between checkpoints; -1 saves none"
    if recipe.trainer == "sft":
        return
    if (temperature := flags.number("rollout.temperature", 1.0)) <= 0:
        yield f"openrlhf.rollout.temperature: {temperature:g}, and rollouts are drawn at one above 0"
    if not 0 < (share := flags.number("vllm.gpu_memory_utilization", 0.95)) <= 1:
        yield f"openrlhf.vllm.gpu_memory_utilization: {share:g} is no share of a GPU's memory, above 0 and at most 1"


def _of_groups(recipe: Recipe, flags: Read) -> Iterator[str]:
    """deepspeed.py:105: the processes form a mesh of (data parallel, ring attention, tensor parallel)."""
    size = group(flags)
    if recipe.training_gpus % size:
        ring, tensor = flags.count("ds.ring_attn_size", 1), flags.count("ds.tensor_parallel_size", 1)
        yield (
            f"openrlhf.ds.ring_attn_size: {recipe.training_gpus} GPUs cannot be cut into groups of {size} "
            f"(ds.ring_attn_size {ring} × ds.tensor_parallel_size {tensor})"
        )


def _of_batches(recipe: Recipe, flags: Read) -> Iterator[str]:
    """DeepSpeed asserts train batch = micro batch × accumulation × data-parallel ranks."""
    batch, micro, ranks = batches(recipe, flags)
    if not flags.is_on("train.dynamic_batch_enable") and batch % (micro * ranks):
        yield (
            f"openrlhf.train.batch_size: {batch} is no multiple of {micro * ranks} "
            f"(train.micro_batch_size {micro} × {ranks} data-parallel ranks)"
        )
    if flags.is_on("train.dynamic_batch_enable") and batch % ranks:
        yield f"openrlhf.train.batch_size: {batch} is no multiple of {ranks} data-parallel ranks"


def _of_certainty(recipe: Recipe, flags: Read) -> Iterator[str]:
    assert recipe.server is not None
    level = flags.text("algo.advantage.is_correction_level", "off")
    if recipe.server.certainty == "rollout" and level != "off":
        # train_ppo_ray.py:81 and vllm_engine.py:299: max_logprobs = 1, and of the tempered distribution.
        yield (
            f"openrlhf.algo.advantage.is_correction_level: {level} limits vLLM to one log-probability per token, and "
            f"server.certainty: rollout needs {recipe.server.top_k}: set it to off, or server.certainty to server"
        )


def _of_placement(recipe: Recipe, flags: Read) -> Iterator[str]:
    """train_ppo_ray.py:57 asserts this once Ray is up; engines without a GPU would wait for one for ever."""
    if recipe.device == "cpu":
        return
    engines, tensor = flags.count("vllm.num_engines", 0), flags.count("vllm.tensor_parallel_size", 1)
    training, every = recipe.training_gpus, recipe.nodes * recipe.gpus_per_node
    if engines < 1:
        yield "openrlhf.vllm.num_engines: rollouts come from vLLM alone: say how many engines"
    elif flags.is_on("train.colocate_all") and not flags.is_on("train.async_enable"):
        if engines * tensor != training:
            yield (
                f"openrlhf.vllm.num_engines: {engines} × vllm.tensor_parallel_size {tensor} must be the {training} "
                "GPUs that train, with train.colocate_all"
            )
    else:
        shared = flags.is_on("train.colocate_actor_ref") or flags.is_on("train.colocate_all")
        has_reference = flags.number("algo.kl.init_coef", 0.01) > 0
        needed = training * (1 if shared or not has_reference else 2) + engines * tensor
        if flags.text("algo.advantage.estimator", "gae") == "gae":
            needed += flags.count("critic.num_nodes", 1) * flags.count("critic.num_gpus_per_node", 8)
        if needed > every:
            yield (
                f"openrlhf.vllm.num_engines: training and {engines} engines need {needed} GPUs, and there are {every}: "
                "set actor_gpus_per_node, or train.colocate_all"
            )


def _of_rollouts(recipe: Recipe, flags: Read) -> Iterator[str]:
    batch, _, ranks = batches(recipe, flags)
    rollouts = flags.count("rollout.batch_size", 1024) * flags.count("rollout.n_samples_per_prompt", 1)
    if rollouts % batch:
        # loss_utils.py:80: what is left over would be added to the next step's gradient.
        yield (
            f"openrlhf.train.batch_size: {batch} does not divide the {rollouts} rollouts of a step "
            "(rollout.batch_size × rollout.n_samples_per_prompt)"
        )
    micro = flags.count("rollout.micro_batch_size", 1)
    if not flags.is_on("train.dynamic_batch_enable") and -(-rollouts // micro) % ranks:
        # launcher.py:355: ranks would get a different number of batches, and wait for one another for ever.
        yield (
            f"openrlhf.rollout.micro_batch_size: {rollouts} rollouts in batches of {micro} are {-(-rollouts // micro)} "
            f"batches, which {ranks} data-parallel ranks cannot share evenly"
        )
    longest, new = flags.count("data.max_len", 2048), flags.count("rollout.max_new_tokens", 0)
    if new >= longest:
        yield f"openrlhf.rollout.max_new_tokens: {new} leave no room for a prompt in data.max_len {longest}"
