"""The user's line behind an operation, also inside programs that JAX keeps in a cache.

JAX traces a jitted function of its own library once, so that the lines of its equations are those
of the first call in the process. For such a body the line of the present call is taken.
"""

from __future__ import annotations

import linecache
import os
import sysconfig
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax

from .. import _jaxprs as jaxprs

_ENGINE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_JAX = os.path.dirname(os.path.abspath(jax.__file__)) + os.sep
_HIDDEN = (_JAX, os.path.join(_ENGINE, "_"), os.path.join(_ENGINE, "rules") + os.sep)
_LIBRARIES = tuple({
    os.path.abspath(sysconfig.get_path(name)) + os.sep for name in ("stdlib", "purelib", "platlib")
})  # fmt: skip


class Frame(NamedTuple):
    """One line of a Python stack."""

    file: str
    function: str
    line: int


Frames = tuple[Frame, ...]


def user_frames(source: Any) -> Frames:
    """The frames behind a recorded source that are neither JAX's nor the engine's, inner first."""
    traceback = getattr(source, "traceback", None)
    if traceback is None:
        return ()
    found = (Frame(f.file_name, f.function_name, f.line_num) for f in traceback.frames)
    return tuple(frame for frame in found if not hidden(frame.file))


def hidden(file: str) -> bool:
    """Whether a file belongs to JAX or to the engine, which no user edits."""
    return file.startswith(_HIDDEN) or f"{os.sep}jaxlib{os.sep}" in file


def body_frames(closed: Any, equation: Any, caller: Frames) -> Frames:
    """The frames of an equation inside a body that was called at `caller`."""
    own = user_frames(equation.source_info)
    jaxpr, _ = jaxprs.open_jaxpr(closed)
    info = getattr(jaxpr, "debug_info", None)
    file, name = getattr(info, "func_filename", None), getattr(info, "func_name", None)
    if not own or file is None or name is None:
        return own or caller
    return own if not hidden(file) or _calls_user(equation, file, name) else caller


def _calls_user(equation: Any, file: str, name: str) -> bool:
    """Whether a library's function called the user's line, as `lax.map` does, and not the reverse.

    Inner first, the user's line then comes before the function. A line without the function inside
    of it is the place of an earlier call; JAX drops the function where it stages a custom rule.
    """
    met = False
    for frame in equation.source_info.traceback.frames:
        met = met or not hidden(frame.file_name)
        if frame.file_name == file and frame.function_name.rsplit(".", 1)[-1] == name:
            return met
    return False


def chosen(frames: Sequence[Frame]) -> Frame | None:
    """The innermost line of the user's own; of a library where there is none of the user's."""
    mine = (frame for frame in frames if not frame.file.startswith(_LIBRARIES))
    return next(mine, frames[0] if frames else None)


def line_of(frames: Sequence[Frame]) -> tuple[str, str]:
    """``file.py:17`` and the text of that line."""
    frame = chosen(frames)
    if frame is None:
        return "", ""
    text = linecache.getline(frame.file, frame.line).strip()
    return f"{os.path.basename(frame.file)}:{frame.line}", text
