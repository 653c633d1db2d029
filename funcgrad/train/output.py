"""The folder of a run's results. A file appears in it complete or not at all."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from funcgrad._errors import ConfigurationError

METRICS, PARAMETERS, PICTURE = "metrics.json", "parameters.npz", "widenet.png"


def prepare(folder: Path, option: str = "--out") -> None:
    """Make a folder and try out whether files can be made in it, before a long run.

    Args:
        folder: which.
        option: what names it on the command line.

    Raises:
        ConfigurationError: they cannot.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     prepare(Path(folder, "new"))
    ...     os.listdir(folder)
    ['new']
    """
    probe = _temporary(folder / METRICS)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with probe.open("xb"):
            pass
        probe.unlink()
    except OSError as error:
        reason = error.strerror or str(error)
        if isinstance(error, FileExistsError):
            reason = "a file has that name"
        raise ConfigurationError(
            f"cannot write to the folder {folder}: {reason}; choose another one by {option} DIR"
        ) from error


def write(path: Path, content: Callable[[IO[bytes]], object]) -> None:
    """Write a file beside its final place and move it there, which replaces an old one.

    Args:
        path: the final place.
        content: a function that writes to the open file.

    Raises:
        OSError: the file cannot be written; what was at `path` is still there.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(Path(folder, "a.bin"), lambda file: file.write(b"123"))
    ...     Path(folder, "a.bin").read_bytes()
    b'123'
    """
    temporary = _temporary(path)
    try:
        with temporary.open("wb") as file:
            content(file)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _temporary(path: Path) -> Path:
    # Not by tempfile, whose files nobody but their owner may read, the moved ones too.
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, see `write`."""
    write(path, lambda file: file.write(text.encode()))


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays by name as NumPy's `.npz`, see `write`."""
    write(path, lambda file: np.savez(file, **arrays))


def as_json(record: Mapping[str, Any]) -> str:
    """Return strict JSON, a line for each key; numbers that are not finite become null.

    >>> print(as_json({"losses": [1.5, float("nan")], "steps": 2}))
    {
      "losses": [1.5, null],
      "steps": 2
    }
    """
    lines = [f"  {json.dumps(key)}: {_value(value)}" for key, value in record.items()]
    return "{\n" + ",\n".join(lines) + "\n}"


def _value(value: Any) -> str:
    return json.dumps(_finite(value), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return value
