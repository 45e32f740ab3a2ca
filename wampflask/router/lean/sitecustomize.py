"""Leave out what Crossbar loads at its start and our router never uses: Ethereum, marketplaces, Tor.

Python runs a module of this name before all others; ``wampflask.router.node`` puts this folder on the path of
Crossbar's processes. The packages below are imported as empty ones whose names stand for the real things: all real
packages are loaded when one of them is called. This runs in Crossbar's own environment, without the library.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

PACKAGES = ("crossbar.edge", "crossbar.master", "eth_abi", "eth_keyfile", "txtorcon", "web3", "xbr")
NEEDED = ("xbr._mnemonic", "xbr._schema", "xbr._secmod")
"""Loaded as they are: the node's keys, and the router's inventory of types."""


class Name:
    """Stands for something of a package that is not loaded."""

    def __init__(self, module: str, path: tuple[str, ...]) -> None:
        self._module = module
        self._path = path

    def __getattr__(self, name: str) -> Name:
        if name.startswith("__"):
            raise AttributeError(name)
        return Name(self._module, (*self._path, name))

    def __or__(self, _other: object) -> Name:
        return self  # in an annotation

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        load(f"{self._module}.{'.'.join(self._path)}")
        real: Any = importlib.import_module(self._module)
        for name in self._path:
            real = getattr(real, name)
        return real(*args, **kwargs)


class Package(ModuleType):
    """Stands for a package or module that is not loaded."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _borrowed(self.__name__, name) or Name(self.__name__, (name,))


class Finder:
    """Finds the packages before Python's own finders do."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, _target: ModuleType | None = None) -> ModuleSpec | None:
        if name in NEEDED or not any(name == package or name.startswith(f"{package}.") for package in PACKAGES):
            return None
        real = PathFinder.find_spec(name, path)
        if real is None:
            return None
        spec = ModuleSpec(name, Finder)  # type: ignore[arg-type]  # a loader is what has the two methods below
        spec.submodule_search_locations = real.submodule_search_locations or []
        return spec

    @staticmethod
    def create_module(spec: ModuleSpec) -> ModuleType:
        return Package(spec.name)

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        """Execute nothing."""


def _borrowed(package: str, name: str) -> Any:
    """Return what the real package would have from a module of it that is loaded unchanged."""
    for module in NEEDED:
        if module.startswith(f"{package}.") and module in sys.modules:
            found = getattr(sys.modules[module], name, None)
            if found is not None:
                return found
    return None


def load(wanted: str) -> None:
    """Let the real packages be imported from now on."""
    if Finder in sys.meta_path:
        sys.stderr.write(f"wampflask: Crossbar wants {wanted}: all its packages are loaded.\n")
        sys.meta_path.remove(Finder)
    for name, module in list(sys.modules.items()):
        if isinstance(module, Package):
            del sys.modules[name]


sys.meta_path.insert(0, Finder)
