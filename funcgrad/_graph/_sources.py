"""Where a step was written, and which variable its result was assigned to.

A step knows the frames of the code that made it, with the place of each call in its line. If such a
place is the whole right-hand side of an assignment, `c = a / b` or `h = layer(h)`, then the last
step that was made there is the value that the variable got.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from .. import _jaxcompat as compat

Place = tuple[int, int, int, int]


class Site(NamedTuple):
    """Where a step was made.

    Attributes:
        frames: innermost first, without those of this package.
        scopes: the names around it, outermost first: named scopes, and modules of Flax.
    """

    frames: tuple[Any, ...]
    scopes: tuple[str, ...]


class Nested(NamedTuple):
    """The source of a step inside a body, which knows no frame outside of it, and of the body."""

    inner: Any
    outer: Any


def here() -> tuple[Any, ...]:
    """The frames of whoever asks for a graph; no part of what it shows."""
    return compat.source_frames(compat.current_source())


def site_of(source: Any, outside: Sequence[Any]) -> Site:
    """Where a step with this source was made, without the frames outside."""
    frames: tuple[Any, ...] = ()
    named: tuple[str, ...] = ()
    while source is not None:
        inner, source = source if isinstance(source, Nested) else (source, None)
        if inner is not None:
            frames += _without(compat.source_frames(inner), outside)
            named = compat.scopes(inner) + named
    return Site(frames, named or _modules(frames))


def _without(frames: tuple[Any, ...], outside: Sequence[Any]) -> tuple[Any, ...]:
    count = len(outside)
    return frames[: len(frames) - count] if count and frames[-count:] == outside else frames


def _modules(frames: Sequence[Any]) -> tuple[str, ...]:
    """The classes of a library's whose calls enclose the step: layers without named scopes."""
    calls = [f for f in reversed(frames) if f.function_name.endswith(".__call__")]
    return tuple(f.function_name.split(".")[-2] for f in calls if _is_installed(f.file_name))


_OWN = str(Path(__file__).parents[1])  # the models and the demonstration count as a user's code


def _is_installed(path: str) -> bool:
    """Whether a file is a library's."""
    return ("site-packages" in path or "dist-packages" in path) and not path.startswith(_OWN)


def own_frame(site: Site) -> Any:
    """The innermost frame of the user's own code, or of any; None where there is none."""
    own = (frame for frame in site.frames if not _is_installed(frame.file_name))
    return next(own, site.frames[0] if site.frames else None)


def line_of(site: Site) -> tuple[str | None, str | None]:
    """`file.py:17` and the code of that line."""
    frame = own_frame(site)
    if frame is None:
        return None, None
    code = linecache.getline(frame.file_name, frame.start_line).strip()
    return f"{Path(frame.file_name).name}:{frame.start_line}", code or None


# --- variables ------------------------------------------------------------------------------------


def variables(sites: Sequence[Site]) -> dict[int, str]:
    """For the steps that gave a variable its value: the variable's name, by the step's number."""
    found: dict[int, str] = {}
    deepest = max((len(site.frames) for site in sites), default=0)
    for depth in range(deepest):  # the innermost assignment names a value
        for last, name in _assignments(sites, depth):
            found.setdefault(last, name)
    return found


def _assignments(sites: Sequence[Site], depth: int) -> list[tuple[int, str]]:
    """The last step of each run of steps that one frame made in one place, if it is assigned."""
    results = []
    run: Any = None
    seen: set[Any] = set()
    for number, site in enumerate([*sites, Site((), ())]):
        here = site.frames[depth:]
        if here != run or site.frames in seen:  # the same place again is another iteration
            name = _assigned(run[0]) if run and not _is_installed(run[0].file_name) else None
            if name:
                results.append((number - 1, name))
            run, seen = here, set()
        seen.add(site.frames)
    return results


def _assigned(frame: Any) -> str | None:
    place = (frame.start_line, frame.start_column, frame.end_line, frame.end_column)
    return _targets(frame.file_name).get(place)


@cache
def _targets(path: str) -> dict[Place, str]:
    """The places of a file that are assigned to a variable, with its name."""
    try:
        tree = ast.parse("".join(linecache.getlines(path)))
    except SyntaxError:  # an interactive cell with magic commands
        return {}
    return {
        (value.lineno, value.col_offset, value.end_lineno or 0, value.end_col_offset or 0): name
        for node in ast.walk(tree)
        for name, value in _named_values(node)
    }


def _named_values(node: ast.AST) -> list[tuple[str, ast.expr]]:
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return [(name, value)]
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            return [(name, value)]
        case ast.NamedExpr(target=ast.Name(id=name), value=value):
            return [(name, value)]
        case _:
            return []
