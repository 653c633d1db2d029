"""The state of a search in a file, from which it can be resumed."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
from collections.abc import Iterator
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

from .._errors import ConfigurationError
from ._coverage import Coverage

_FILE = "search.json"
_VERSION = 1


@dataclasses.dataclass
class State:
    """Where a search is.

    Attributes:
        seed, settings: what its programs depend on.
        environment: the versions it began with.
        done: the programs that have been examined.
        operations: how many operations these had.
        seconds: how long it took.
        findings: see `Ledger`.
        coverage: what the programs went through.
    """

    seed: int
    settings: str
    environment: str
    done: set[int] = dataclasses.field(default_factory=set)
    operations: int = 0
    seconds: float = 0.0
    findings: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    coverage: Coverage = dataclasses.field(default_factory=Coverage)

    def missing(self, programs: int | None) -> Iterator[int]:
        """The programs that are still to be examined."""
        indices = count() if programs is None else iter(range(programs))
        before = frozenset(self.done)
        return (index for index in indices if index not in before)


def environment_line() -> str:
    """The versions that a result depends on.

    >>> "jax" in environment_line()
    True
    """
    names = ("jax", "jaxlib", "numpy")
    packages = ", ".join(f"{name} {version(name)}" for name in names)
    return f"{packages}; Python {platform.python_version()} on {platform.machine()}"


def save_state(folder: Path, state: State) -> None:
    """Write the state, all of it or nothing."""
    content = dataclasses.asdict(dataclasses.replace(state, coverage=Coverage()))
    content |= {
        "version": _VERSION,
        "done": _ranges(state.done),
        "coverage": state.coverage.to_json(),
    }
    draft = folder / f"{_FILE}.new"
    draft.write_text(json.dumps(content, indent=1), encoding="utf-8")
    os.replace(draft, folder / _FILE)


def load_state(folder: Path) -> State:
    """The state of the search in a folder.

    Raises:
        ConfigurationError: there is none, or it is not one that this version wrote.
    """
    path = folder / _FILE
    if not path.is_file():
        raise ConfigurationError(f"there is no search to resume in {folder}: no file {_FILE}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("version") != _VERSION:
            raise ConfigurationError(f"{path} is of another version of funcgrad; begin anew")
        done = {index for low, high in content.pop("done") for index in range(low, high + 1)}
        return State(**{**content, "done": done, "coverage": Coverage(content["coverage"])})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"{path} is damaged ({error}); begin anew") from error


def _ranges(numbers: set[int]) -> list[list[int]]:
    """Runs of numbers, as their first and last."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found
