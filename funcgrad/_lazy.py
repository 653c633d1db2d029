"""Names of a package that load on first use."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def lazy_names(
    package: str, homes: Mapping[str, str], others: Sequence[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The `__getattr__` and the `__dir__` of a package whose public names load on first use.

    Args:
        package: the package's name.
        homes: for each public name the module of the package that has it; the name itself where it
            is that of a module.
        others: what `dir` is to show beside them.

    >>> get, names = lazy_names("funcgrad", {"grad": "_transform"})
    >>> get("grad").__name__, names()
    ('grad', ['grad'])
    """

    def get(name: str) -> Any:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(f".{home}", package)
        value = module if home == name else getattr(module, name)
        setattr(sys.modules[package], name, value)  # next time Python finds it by itself
        return value

    return get, lambda: [*homes, *others]
