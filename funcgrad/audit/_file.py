"""The file of an audit: written while it grows, read to go on with it or to compare with it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from .._errors import ConfigurationError
from ..train.output import write_text
from ._records import Audit, Header, Row, from_json

_EVERY = 2.0  # seconds between two writes of a growing file
# What must be equal for an audit to be gone on with.
_SAME = ("device", "platform", "funcgrad", "jax", "jaxlib", "machine", "seed")


def check_writable(name: str | Path, option: str) -> Path:
    """Return a path to which a file can be written, which is found out before a long run.

    Raises:
        ConfigurationError: it cannot.
    """
    path = Path(name)
    if path.is_dir():
        raise ConfigurationError(f"{option} {name}: that is a folder; name a file in it")
    if not path.parent.is_dir():
        raise ConfigurationError(f"{option} {name}: there is no folder {path.parent}")
    probe = path.with_name(f".{path.name}.{os.getpid()}.probe")
    try:
        with probe.open("xb"):
            pass
        probe.unlink()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigurationError(f"{option} {name}: cannot be written: {reason}") from error
    return path


def read_audit(name: str | Path, option: str) -> Audit:
    """Read an audit from a file.

    Raises:
        ConfigurationError: there is none, or it is damaged or something else.
    """
    try:
        return from_json(Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigurationError(f"{option} {name}: cannot be read: {reason}") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{option} {name}: that is no audit, or a damaged one: {error}; name a file that "
            "`funcgrad audit --out` wrote"
        ) from error
    except ValueError as error:
        raise ConfigurationError(
            f"{option} {name}: that is no audit of this version: {error}; name a file that "
            "`funcgrad audit --out` wrote"
        ) from error


def rows_to_keep(earlier: Audit, header: Header, name: str | Path) -> tuple[Row, ...]:
    """The rows of an unfinished audit, if it was made in the same way.

    Raises:
        ConfigurationError: it was not, so that its rows do not fit to the others.
    """
    for field in _SAME:
        was, now = getattr(earlier.header, field), getattr(header, field)
        if was != now:
            raise ConfigurationError(
                f"--resume: {name} was made with {field} {was}, and this run has {now}; leave out "
                "--resume to start anew, or compare with it by --baseline"
            )
    return earlier.rows


class Growing:
    """A file that is written again from time to time, as a whole, as rows are added."""

    def __init__(self, path: Path | None) -> None:
        """Nothing is written before the first `save`."""
        self._path = path
        self._last = float("-inf")

    def save(self, audit: Audit, now: bool = False) -> None:
        """Write the audit if some time has passed, or `now`."""
        if self._path is not None and (now or time.monotonic() - self._last > _EVERY):
            write_text(self._path, audit.to_json())
            self._last = time.monotonic()
