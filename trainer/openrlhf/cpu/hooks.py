"""Changes to modules of other packages, made in the moment each is imported, so that nothing is imported for them."""

import importlib.util
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from trainer.openrlhf.cpu.patches import NEEDS_FLASH_ATTENTION, PATCHES, while_importing


class _Patched(Loader):
    """Loads a module as its own loader would, then changes it."""

    def __init__(self, name: str, loader: Loader) -> None:
        self._name = name
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        with while_importing(self._name):
            self._loader.exec_module(module)
        if self._name in PATCHES:
            PATCHES[self._name](module)

    def __getattr__(self, name: str) -> object:
        # What else a loader can do, such as read the module's source.
        return getattr(self._loader, name)


class _Finder(MetaPathFinder):
    """Finds the modules to be changed, and no others."""

    def __init__(self) -> None:
        self._looking: set[str] = set()

    def find_spec(self, fullname: str, *_where: object) -> ModuleSpec | None:
        if fullname in self._looking or not (fullname in PATCHES or fullname == NEEDS_FLASH_ATTENTION):
            return None
        self._looking.add(fullname)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._looking.discard(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Patched(fullname, spec.loader)
        return spec


def install() -> None:
    """Change every module of the profile that this process will import."""
    sys.meta_path.insert(0, _Finder())
