"""What is changed, and why: OpenRLHF and the libraries under it call CUDA by name in these places, and nowhere else."""

import fcntl
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from types import ModuleType
from typing import Any


def _torch(torch: ModuleType) -> None:
    """`torch.cuda` as if the CPU were its one device: `current_device()` serves `tensor.to(…)` and `f"cuda:{…}"`."""

    class Device(str):
        __slots__ = ()

        def __format__(self, _spec: str) -> str:
            return "0"

    device = Device("cpu")
    cuda: Any = torch.cuda
    cuda.current_device = lambda: device
    for name in ("set_device", "synchronize", "empty_cache", "current_stream"):
        setattr(cuda, name, lambda *_args, **_kwargs: None)
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        for name in ("linear", "scaled_dot_product_attention"):
            setattr(torch.nn.functional, name, _in_float32(getattr(torch.nn.functional, name), torch))


def _in_float32(function: Callable[..., Any], torch: ModuleType) -> Callable[..., Any]:
    """The function, computed in float32 and rounded to bfloat16, as CPUs with products of bfloat16 do: those without
    (no AVX-512) take ten times as long for them.
    """

    def widened(value: Any) -> Any:
        is_narrow = isinstance(value, torch.Tensor) and value.dtype == torch.bfloat16
        return value.float() if is_narrow else value

    @wraps(function)
    def computed(first: Any, *args: Any, **kwargs: Any) -> Any:
        if first.dtype != torch.bfloat16:
            return function(first, *args, **kwargs)
        wide = {name: widened(value) for name, value in kwargs.items()}
        return function(first.float(), *map(widened, args), **wide).to(torch.bfloat16)

    return computed


def _extension_lock(module: ModuleType) -> None:
    """torch guards the building of DeepSpeed's Adam by a file, which a run that is killed leaves to hang the next."""

    class FileBaton:
        def __init__(self, lock_file_path: str, *_args: Any, **_kwargs: Any) -> None:
            self._path = lock_file_path
            self._file: Any = None

        def try_acquire(self) -> bool:
            self._file = open(self._path, "w")  # noqa: SIM115
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._file.close()
                return False
            return True

        def wait(self) -> None:
            with open(self._path, "w") as file:
                fcntl.flock(file, fcntl.LOCK_EX)

        def release(self) -> None:
            os.remove(self._path)  # to processes with torch's own baton the file is the lock
            self._file.close()

    module.FileBaton = FileBaton  # type: ignore[attr-defined]


def _device_mesh(module: ModuleType) -> None:
    """`DeepspeedStrategy.setup_distributed` makes a mesh of CUDA devices."""
    original = module.init_device_mesh

    def init_device_mesh(device_type: str, *args: Any, **kwargs: Any) -> Any:
        return original("cpu" if device_type == "cuda" else device_type, *args, **kwargs)

    module.init_device_mesh = init_device_mesh  # type: ignore[attr-defined]


def _pynccl(module: ModuleType) -> None:
    """Weights go from DeepSpeed to vLLM by NCCL; here by the TCP store that the group has anyway."""

    class PyNcclCommunicator:
        def __init__(self, group: Any, **_kwargs: Any) -> None:
            self.group = group

        def broadcast(self, tensor: Any, src: int, **_kwargs: Any) -> None:
            sends = self.group.rank == src
            received = self.group.broadcast_obj(tensor.detach().contiguous() if sends else None, src)
            if not sends:
                tensor.copy_(received)

    module.PyNcclCommunicator = PyNcclCommunicator  # type: ignore[attr-defined]


def _linear_layers(module: ModuleType) -> None:
    """vLLM packs linear weights for the CPU and drops the originals, so that new ones could not be loaded into them."""
    from torch.nn.functional import linear

    def dispatch_cpu_unquantized_gemm(layer: Any, remove_weight: bool) -> None:  # noqa: ARG001
        layer.cpu_linear = linear

    module.dispatch_cpu_unquantized_gemm = dispatch_cpu_unquantized_gemm  # type: ignore[attr-defined]


def _worker(module: ModuleType) -> None:
    """`WorkerWrap.update_weight` makes room for each new weight on "cuda"."""
    from torch.overrides import TorchFunctionMode

    class OnCPU(TorchFunctionMode):
        def __torch_function__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = dict(kwargs or {})
            if str(kwargs.get("device", "")).startswith("cuda"):
                kwargs["device"] = "cpu"
            return func(*args, **kwargs)

    original = module.WorkerWrap.update_weight

    def update_weight(self: Any, *args: Any, **kwargs: Any) -> Any:
        with OnCPU():
            return original(self, *args, **kwargs)

    module.WorkerWrap.update_weight = update_weight


PATCHES: Mapping[str, Callable[[ModuleType], None]] = {
    "torch": _torch,
    "torch.utils.file_baton": _extension_lock,
    "torch.distributed.device_mesh": _device_mesh,
    "vllm.distributed.device_communicators.pynccl": _pynccl,
    "vllm.model_executor.layers.utils": _linear_layers,
    "openrlhf.trainer.ray.vllm_worker_wrap": _worker,
}
"""What is done to each module after it was imported."""

NEEDS_FLASH_ATTENTION = "openrlhf.models.ring_attn_utils"
"""Imports four functions of `flash_attn`, which packing and ring attention call."""

_FLASH_ATTENTION = {
    "flash_attn": (),
    "flash_attn.bert_padding": ("index_first_axis", "pad_input", "rearrange", "unpad_input"),
    "flash_attn.utils": (),
    "flash_attn.utils.distributed": ("all_gather",),
}


@contextmanager
def while_importing(name: str) -> Iterator[None]:
    """Let `flash_attn` be there just while OpenRLHF imports it, so that no other library believes that it is."""
    stand_ins = _stand_ins() if name == NEEDS_FLASH_ATTENTION else {}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for stand_in in stand_ins:
            del sys.modules[stand_in]


def _stand_ins() -> dict[str, ModuleType]:
    def unavailable(*_args: Any, **_kwargs: Any) -> None:
        raise RuntimeError("packing and ring attention need flash attention, which there is only for GPUs")

    modules = {name: ModuleType(name) for name in _FLASH_ATTENTION}
    for name, functions in _FLASH_ATTENTION.items():
        for function in functions:
            setattr(modules[name], function, unavailable)
    return modules
