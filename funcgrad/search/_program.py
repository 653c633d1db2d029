"""A random program as data, and the Python source that it is.

What runs is the source: `function` and `arguments` execute exactly what `source` prints.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import hashlib
import linecache
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from .._errors import ConfigurationError
from ._kinds import Operation
from ._numbers import array_text

NAMES = ("x", "y", "z", "w", "u", "t", "s", "r")
HEADER = "import jax\nimport jax.numpy as jnp\nfrom jax import lax\n"
# Only where it is not switched on already: inside a `with` it would outlast the block.
WIDE = 'if not jax.config.jax_enable_x64:\n    jax.config.update("jax_enable_x64", True)\n'
WEIGHED = """
def weighed(v):
    weights = jnp.linspace(0.5, 2.0, v.size, dtype=v.real.dtype).reshape(v.shape)
    return jnp.sum(weights * v)
"""
_KEPT = 256  # sources that tracebacks can show
_REGISTERED: collections.deque[str] = collections.deque()


@dataclasses.dataclass(frozen=True)
class Body:
    """A function inside a program: of a loop, a branch, a nested transform."""

    name: str
    parameters: tuple[str, ...]
    steps: tuple[Step, ...]
    results: tuple[str, ...]
    signature: str = ""
    opening: str = ""
    closing: str = "{0}"

    def lines(self, watch: str = "") -> Iterator[str]:
        signature = self.signature or ", ".join(self.parameters)
        yield f"def {self.name}({signature.format(*self.parameters)}):"
        inside = [self.opening.format(*self.parameters)] if self.opening else []
        for step in self.steps:
            inside += step.lines(watch)
        yield from (f"    {line}" for line in inside)
        yield f"    return {self.closing.format(*self.results)}"


@dataclasses.dataclass(frozen=True)
class Step:
    """One operation: what it is called, what it reads, and what its results are named."""

    operation: Operation
    operands: tuple[str, ...]
    results: tuple[str, ...]
    params: Mapping[str, str] = dataclasses.field(default_factory=dict)
    bodies: tuple[Body, ...] = ()

    def lines(self, watch: str = "") -> Iterator[str]:
        """The lines of Python; `watch` is a function that is told the operands before each step."""
        for body in self.bodies:
            yield from body.lines(watch)
        if watch:
            yield f"{watch}({self.results[0]!r}, [{', '.join(self.operands)}])"
        names = {f"body{i}": body.name for i, body in enumerate(self.bodies)}
        text = self.operation.template.format(*self.operands, **self.params, **names)
        yield f"{', '.join(self.results)} = {text}"

    def reads(self) -> set[str]:
        """The variables that it needs, those that its bodies read from around them too."""
        return set(self.operands).union(*(free(body) for body in self.bodies))

    def inner(self) -> Iterator[Step]:
        """This step, and those in its bodies."""
        yield self
        for body in self.bodies:
            for step in body.steps:
                yield from step.inner()


def free(body: Body) -> set[str]:
    """The variables that a body reads from around it."""
    known = set(body.parameters)
    read: set[str] = set()
    for step in body.steps:
        read |= step.reads() - known
        known |= set(step.results)
    return read | (set(body.results) - known)


def live(steps: Sequence[Step], results: Sequence[str]) -> tuple[Step, ...]:
    """The steps that the results depend on."""
    wanted = set(results)
    kept = []
    for step in reversed(steps):
        if wanted & set(step.results):
            kept.append(step)
            wanted |= step.reads()
    return tuple(reversed(kept))


@dataclasses.dataclass(frozen=True, eq=False)
class Program:
    """A random function of pytrees with a point, printed as Python that needs only JAX.

    Attributes:
        inputs: the arguments: arrays, or dictionaries, tuples and lists of them.
        steps: one operation each.
        results: the variables of which the function returns a weighed sum.
        dtype: of the inputs.
        weighed: whether the entries of results have different weights.
        wide: whether it was drawn with 64-bit numbers switched on.
    """

    inputs: tuple[Any, ...]
    steps: tuple[Step, ...]
    results: tuple[str, ...]
    dtype: str = "float32"
    weighed: bool = True
    wide: bool = False

    @functools.cached_property
    def text(self) -> str:
        return program_text(self)

    def source(self) -> str:
        """Python source that defines `f` and `arguments`, with only JAX imported."""
        return self.text

    def function(self) -> Callable[..., Any]:
        """The function, made by running the source."""
        return self._namespace["f"]  # type: ignore[no-any-return] # of a namespace

    def arguments(self) -> tuple[Any, ...]:
        """The arguments, made by running the source."""
        return self._namespace["arguments"]  # type: ignore[no-any-return] # of a namespace

    @functools.cached_property
    def _namespace(self) -> dict[str, Any]:
        check_width(self.wide)
        return run(self.source())

    @functools.cached_property
    def all_steps(self) -> tuple[Step, ...]:
        """The steps, with those inside bodies."""
        return tuple(inner for step in self.steps for inner in step.inner())

    @property
    def operations(self) -> collections.Counter[str]:
        """How often each operation occurs, bodies included."""
        return collections.Counter(step.operation.name for step in self.all_steps)

    @property
    def families(self) -> frozenset[str]:
        return frozenset(step.operation.family for step in self.all_steps)

    @property
    def order(self) -> int:
        """How often the derivative can be taken and compared."""
        return min((step.operation.order for step in self.all_steps), default=2)

    @property
    def reverse(self) -> bool:
        """Whether JAX has a reverse mode of every operation."""
        return all(step.operation.reverse for step in self.all_steps)

    @property
    def differences(self) -> bool:
        """Whether numerical differences show the derivative."""
        return all(step.operation.differences for step in self.all_steps)

    @property
    def rounds(self) -> bool:
        """Whether an operation rounds to fewer digits than those of the dtype."""
        return any(step.operation.rounds for step in self.all_steps)

    def __len__(self) -> int:
        return len(self.all_steps)

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Program) and self.source() == other.source()

    def __hash__(self) -> int:
        return hash(self.source())

    def __repr__(self) -> str:
        return f"<program of {len(self)} operations>\n{self.source()}"

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        """What Hypothesis prints, which would show the fields of a dataclass."""
        printer.text(repr(self))


# --- the source -----------------------------------------------------------------------------------


def program_text(program: Program, watch: str = "") -> str:
    names = NAMES[: len(program.inputs)]
    returned = [_result_text(name, program.weighed) for name in program.results]
    # Different factors, so that two results do not enter alike.
    summands = [text if i == 0 else f"{0.5 * i:g} * {text}" for i, text in enumerate(returned)]
    body = [line for step in program.steps for line in step.lines(watch)]
    body.append(f"return {' + '.join(summands)}")
    arguments = [f"    {_tree_text(argument, program.dtype)},\n" for argument in program.inputs]
    parts = [
        HEADER + (WIDE if program.wide else ""),
        *_definitions(program, any("weighed(" in text for text in returned)),
        f"def f({', '.join(names)}):\n" + "".join(f"    {line}\n" for line in body),
        f"arguments = (\n{''.join(arguments)})\n",
    ]
    return "\n\n".join(part.strip("\n") + "\n" for part in parts)


def _definitions(program: Program, weighed: bool) -> list[str]:
    texts = dict.fromkeys(step.operation.definitions for step in program.all_steps)
    return [text for text in [*texts, WEIGHED if weighed else ""] if text]


def _result_text(name: str, weighed: bool) -> str:
    """A result that is called `name.real` is a complex variable of which both parts count."""
    if not name.endswith(".real"):
        return f"weighed({name})" if weighed else f"jnp.sum({name})"
    bare = name.removesuffix(".real")
    whole = f"{bare}.real + 2 * {bare}.imag"
    return f"weighed({whole})" if weighed else f"jnp.sum({whole})"


def _tree_text(tree: Any, dtype: str) -> str:
    if isinstance(tree, dict):
        inside = ", ".join(f'"{key}": {_tree_text(tree[key], dtype)}' for key in tree)
        return f"{{{inside}}}"
    if isinstance(tree, list):
        return f"[{', '.join(_tree_text(leaf, dtype) for leaf in tree)}]"
    if isinstance(tree, tuple):
        return f"({' '.join(_tree_text(leaf, dtype) + ',' for leaf in tree)})"
    return array_text(tree, dtype)


def is_body(name: str) -> bool:
    """Whether a function of that name is one of a program's own, as `body3` is."""
    return name.removeprefix("body").isdecimal()


def leaf_names(inputs: Sequence[Any]) -> dict[str, Any]:
    """Each array of the arguments by the expression that the source reads it with."""
    found: dict[str, Any] = {}
    for name, argument in zip(NAMES, inputs, strict=False):
        found |= _leaves(name, argument)
    return found


def _leaves(name: str, tree: Any) -> dict[str, Any]:
    if isinstance(tree, dict):
        pairs = [(f'{name}["{key}"]', leaf) for key, leaf in tree.items()]
    elif isinstance(tree, (list, tuple)):
        pairs = [(f"{name}[{i}]", leaf) for i, leaf in enumerate(tree)]
    else:
        return {name: np.asarray(tree)}
    return {key: leaf for inner, tree in pairs for key, leaf in _leaves(inner, tree).items()}


# --- running --------------------------------------------------------------------------------------


def check_width(wide: bool) -> None:
    """Raise if a program of 64-bit numbers would have to switch them on behind the user's back."""
    if wide and not jax.config.jax_enable_x64:
        raise ConfigurationError(
            "this program was drawn with 64-bit numbers, which are switched off here; run it with "
            'jax.config.update("jax_enable_x64", True), or draw one with dtype="float32"'
        )


def run(source: str, **names: Any) -> dict[str, Any]:
    """Execute a source in a namespace of its own, with its lines known to tracebacks."""
    filename = f"<funcgrad program {hashlib.sha1(source.encode()).hexdigest()[:10]}>"
    lines = source.splitlines(keepends=True)
    linecache.cache[filename] = (len(source), None, lines, filename)
    _REGISTERED.append(filename)
    if len(_REGISTERED) > _KEPT:
        linecache.cache.pop(_REGISTERED.popleft(), None)
    namespace: dict[str, Any] = dict(names)
    exec(compile(source, filename, "exec"), namespace)
    return namespace
