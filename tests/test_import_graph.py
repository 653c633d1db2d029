"""Imports point one way: no cycle, no upward edge, nothing hidden; and the package loads lazily."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "funcgrad"

# The one arrow: a unit imports only from itself and from units before it.
ORDER = [
    "_lazy", "_workers", "_errors", "_opaque", "_jaxprimitives", "_jaxtypes", "_jaxcompat",
    "_jaxprs", "_exact", "_dataflow", "_lightness", "_thunks", "_sharing", "_trees", "_tape",
    "_registry", "_references", "_tangents", "_trace", "_reverse", "_staging", "_forward",
    "_forward_trace", "rules", "_formulas", "_segments", "_eager", "_arguments", "_pullback",
    "_transform", "_jacobian", "_scan", "_extend", "_steps", "_batches", "_descent", "_target",
    "_graph", "_diagnosis", "parallel", "models", "verify", "search", "train", "bench", "listing",
    "show", "checking", "audit", "cli", "__main__", "pytest_plugin",
]  # fmt: skip
OPTIONAL = {
    "autograd", "torch", "equinox", "flax", "sklearn", "matplotlib", "hypothesis", "orbax",
    "treescope",
}  # fmt: skip
# Modules that import by a computed name, and why.
DYNAMIC = {
    "funcgrad._lazy": "public names load on first use",
    "funcgrad._jaxcompat": "a module that one supported line of JAX lacks",
    "funcgrad._jaxprimitives": "likewise",
    "funcgrad._target": "the module that the user names on the command line",
    "funcgrad._workers": "the function that a process works with, once its environment is set",
    "funcgrad.audit._worker": "the module that the user names by --import",
    "funcgrad.search._worker": "the function that the user names by --setup",
    "funcgrad.rules.third_party": "what another package made, once that package is imported",
    "funcgrad.cli": "a command loads only what it needs, and --help nothing",
    "funcgrad.bench.command": "the picture and competitors need optional packages",
    "funcgrad.train.command": "the reference, the picture and checkpoints need optional packages",
    "funcgrad.train.start": "JAX is not loaded where other processes do the work",
}


class Edge(NamedTuple):
    """One import statement."""

    source: str
    target: str  # a module of the package, or the first name of another package
    line: int
    hidden: bool  # inside a function
    typing: bool  # under TYPE_CHECKING


def modules(root: Path) -> dict[str, Path]:
    """Every module of the package and its file."""
    found = {}
    for path in sorted((root / PACKAGE).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def statements(tree: ast.AST, hidden: bool, typing: bool) -> Iterator[tuple[ast.AST, bool, bool]]:
    for node in ast.iter_child_nodes(tree):
        function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        guard = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node, hidden, typing
        yield from statements(node, hidden or function, typing or guard)


def targets(node: ast.AST, source: str, is_package: bool, known: set[str]) -> Iterator[str]:
    """The modules that an import statement names."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    assert isinstance(node, ast.ImportFrom)
    base = node.module or ""
    if node.level:
        parts = source.split(".")
        parts = parts[: len(parts) - node.level + is_package]
        base = ".".join([*parts, *([node.module] if node.module else [])])
    for alias in node.names:
        inner = f"{base}.{alias.name}"
        yield inner if inner in known else base


def edges(root: Path) -> list[Edge]:
    files = modules(root)
    known = set(files)
    found = []
    for source, path in files.items():
        is_package = path.name == "__init__.py"
        for node, hidden, typing in statements(ast.parse(path.read_text()), False, False):
            line = getattr(node, "lineno", 0)
            for target in targets(node, source, is_package, known):
                name = target if target.split(".")[0] == PACKAGE else target.split(".")[0]
                found.append(Edge(source, name, line, hidden, typing))
    return found


def unit(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def inner(found: list[Edge]) -> list[Edge]:
    """The edges between modules of the package that run on import."""
    return [e for e in found if e.target.split(".")[0] == PACKAGE and not e.typing]


# --- the checks -----------------------------------------------------------------------------------


def unplaced(root: Path) -> set[str]:
    return {unit(module) for module in modules(root)} - {*ORDER, ""}


def upward(found: list[Edge]) -> list[Edge]:
    # What the root offers is everything up to the models; only units beyond them may use it.
    rank: dict[str, float] = {name: i for i, name in enumerate(ORDER)}
    rank[""] = ORDER.index("models") + 0.5
    inside = [edge for edge in inner(found) if edge.source != PACKAGE]
    return [edge for edge in inside if rank[unit(edge.source)] < rank[unit(edge.target)]]


def cycle(found: list[Edge]) -> list[str]:
    """A cycle between modules, or nothing."""
    after: dict[str, set[str]] = {}
    for edge in inner(found):
        if edge.target != edge.source:
            after.setdefault(edge.source, set()).add(edge.target)
    while True:
        # Take away the modules that import nothing that is left, until none does.
        ends = {t for ts in after.values() for t in ts} - set(after)
        left = {s: ts - ends for s, ts in after.items()}
        left = {s: ts for s, ts in left.items() if ts}
        if left == after:
            return sorted(left)
        after = left


def hidden(found: list[Edge]) -> list[Edge]:
    return [e for e in found if e.hidden and e.target.split(".")[0] not in OPTIONAL]


def dynamic(root: Path) -> set[str]:
    """The modules that import by a computed name."""
    calls = ("import_module(", "__import__(")
    return {
        module
        for module, path in modules(root).items()
        if any(call in path.read_text() for call in calls)
    }


def test_every_module_has_its_place_in_the_order() -> None:
    assert not unplaced(ROOT), "add the module to ORDER, where the data flow has it"


def test_imports_point_one_way() -> None:
    assert not upward(edges(ROOT))


def test_there_is_no_cycle() -> None:
    assert not cycle(edges(ROOT))


def test_no_import_is_hidden() -> None:
    assert not hidden(edges(ROOT))
    assert dynamic(ROOT) <= set(DYNAMIC)


def test_the_graph_is_not_empty() -> None:
    found = {(e.source, e.target) for e in inner(edges(ROOT))}
    for known in [
        ("_trace", "_tape"), ("_reverse", "_jaxcompat"), ("rules.calls", "_staging"),
        ("_pullback", "rules"), ("_descent", "_steps"), ("models.widenet", "_errors"),
    ]:  # fmt: skip
        assert tuple(f"{PACKAGE}.{end}" for end in known) in found
    assert len(found) > 60


# --- planted faults -------------------------------------------------------------------------------

FAULTS = {
    "an upward edge": ({"_trees": "from ._trace import record"}, upward),
    "an upward edge by the full name": ({"_tape": "import funcgrad._descent"}, upward),
    "an edge from a folder": ({"rules/x": "from .._steps import Loss"}, upward),
    "the root": ({"_steps": "from . import grad"}, upward),
    "a cycle in a folder": ({"rules/x": "from . import y", "rules/y": "from .x import f"}, cycle),
    "a long cycle": (
        {
            "models/a": "from .b import f",
            "models/b": "from . import c",
            "models/c": "from .a import f",
        },
        cycle,
    ),
    "an import in a function": ({"_tape": "def f():\n    from ._trees import flatten"}, hidden),
    "an import in a method": ({"_tape": "class C:\n  def f(self):\n    import json"}, hidden),
}


@pytest.mark.parametrize(("files", "check"), FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_is_found(files: dict[str, str], check: object, tmp_path: Path) -> None:
    (tmp_path / PACKAGE).mkdir()
    for name in ["__init__", "_trees", "_trace", "_descent", "_steps", "rules/__init__", *files]:
        path = tmp_path / PACKAGE / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(files.get(name, ""))
    assert callable(check)
    assert check(edges(tmp_path))


def test_what_is_allowed_is_not_reported(tmp_path: Path) -> None:
    (tmp_path / PACKAGE).mkdir()
    allowed = "\n".join([
        "from typing import TYPE_CHECKING", "from . import _errors", "if TYPE_CHECKING:",
        "    from ._descent import Descent", "def f():", "    import flax",
    ])  # fmt: skip
    for name, text in {"__init__": "", "_errors": "", "_descent": "", "_tape": allowed}.items():
        (tmp_path / PACKAGE / f"{name}.py").write_text(text)
    found = edges(tmp_path)
    assert [e.target for e in inner(found)] == ["funcgrad._errors"]
    assert not upward(found)
    assert not cycle(found)
    assert not hidden(found)
    (tmp_path / PACKAGE / "_new.py").write_text(
        "from importlib import import_module\nimport_module('x')"
    )
    assert unplaced(tmp_path) == {"_new"}
    assert dynamic(tmp_path) == {"funcgrad._new"}


# --- lazily ---------------------------------------------------------------------------------------


def loaded_by(program: str) -> set[str]:
    """The packages that a fresh interpreter has loaded after a program."""
    report = "import sys; print(*{name.split('.')[0] for name in sys.modules})"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\n{report}"],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stdout.split())


def test_importing_the_package_does_not_import_jax() -> None:
    loaded = loaded_by("import funcgrad; funcgrad.__version__; dir(funcgrad)")
    assert PACKAGE in loaded
    assert not loaded & {"jax", "jaxlib", "numpy", "optax", *OPTIONAL}


def test_using_the_package_imports_jax_and_nothing_optional() -> None:
    loaded = loaded_by("import funcgrad; funcgrad.grad; funcgrad.minimize; funcgrad.models")
    assert loaded >= {"jax", "numpy", "optax"}  # so the silence above means something
    assert not loaded & OPTIONAL
