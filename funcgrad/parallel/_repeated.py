"""Finds sums over the devices of a mesh axis that were taken already, in a program as traced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from funcgrad import _jaxcompat as compat
from funcgrad import _jaxprs as jaxprs
from funcgrad._jaxcompat import primitives as p
from funcgrad.parallel._factors import (
    CONSTANT,
    SUMS,
    Known,
    Pending,
    Uses,
    divided,
    divisor,
    is_mean,
    join,
    mapped_axes,
    plainly,
    size_of,
    uses_in,
)


class RepeatedSum(NamedTuple):
    """A sum over devices of what is the same on all of them, or was summed over them already.

    Attributes:
        primitive: its name: `psum_invariant` where mapped axes are typed, else `psum`;
            `reduce_scatter` for `psum_scatter`.
        kind: "sum", which multiplies by the number of devices, or "mean", which changes nothing of
            a sum where a mean was meant.
        axes: the mesh axes over which the value is the same.
        size: how many devices there are along them.
        typed: whether the axes are typed (`check_vma=True`).
        source: `file.py:17`, the user's line; None if it is not known.
    """

    primitive: str
    kind: str
    axes: tuple[str, ...]
    size: int
    typed: bool
    source: str | None

    @property
    def place(self) -> str:
        """What stands where: ``step.py:12, psum over 'data'``."""
        name = {"reduce_scatter": "psum_scatter"}.get(self.primitive, "psum")
        called = "pmean" if self.kind == "mean" else name
        return f"{self.source or 'an unknown line'}, {called} over {self._named}"

    @property
    def _named(self) -> str:
        return ", ".join(map(repr, self.axes))

    @property
    def hint(self) -> str:
        """What the factor is, and what to do."""
        axis = self.axes[0] if len(self.axes) == 1 else self.axes
        if self.kind == "mean":
            return (
                f"the value is a sum over {self._named} already, the same on all {self.size} "
                "devices, so that the mean changes nothing; if a mean was meant, it is "
                f"{self.size} times too large. With check_vma=True the gradient of a replicated "
                "parameter is summed already: differentiate by "
                f'lax.pcast(p, {axis!r}, to="varying") and take the mean, or take the mean of the '
                "loss inside and none outside"
            )
        if self.typed:
            return (
                f"the value is the same on all {self.size} devices, so that the sum multiplies by "
                f"{self.size}: was it taken already? With check_vma=True the gradient of a "
                "replicated parameter is summed already"
            )
        return (
            f"the value is the same on all {self.size} devices, so that the sum multiplies by "
            f"{self.size}, and no mean divides by it again. With check_vma=False the transpose of "
            "a psum is a psum: take the mean of the gradients, not their sum, or differentiate "
            "the whole map from outside"
        )

    def __str__(self) -> str:
        return f"{self.place}: {self.hint}"

    def __repr__(self) -> str:
        return f"<{self}>"


def repeated_sums(closed: Any) -> tuple[RepeatedSum, ...]:
    """The repeated sums of a program, in the order in which they are met, each line once."""
    axes = mesh_axes(closed)
    if not axes:
        return ()
    reader = _Reader(axes)
    jaxpr, _ = jaxprs.open_jaxpr(closed)
    reader.outputs(closed, [Known() for _ in jaxpr.invars])
    return tuple(dict.fromkeys(reader.found.values()))


def mesh_axes(closed: Any) -> dict[str, int]:
    """The axes of the `shard_map`s in a program, and their sizes."""
    found: dict[str, int] = {}
    jaxpr, _ = jaxprs.open_jaxpr(closed)
    for equation in jaxpr.eqns:
        if equation.primitive is p.shard_map_p:
            manual = equation.params["newly_manual_axes"]
            found |= {a: n for a, n in _sizes(equation.params).items() if a in manual}
        for inner in _programs(equation):
            found |= mesh_axes(inner)
    return found


def _sizes(params: Mapping[str, Any]) -> Mapping[Any, int]:
    mesh = params["mesh"]
    return dict(zip(mesh.axis_names, mesh.axis_sizes, strict=True))


def _programs(equation: Any) -> Iterator[Any]:
    for value in equation.params.values():
        for part in value if isinstance(value, (tuple, list)) else (value,):
            if hasattr(jaxprs.open_jaxpr(part)[0], "eqns"):
                yield part


_CALLS = frozenset(
    {p.jit_p, p.custom_jvp_call_p, p.custom_vjp_call_p, p.remat_p, p.closed_call_p, p.call_p,
     p.eval_jaxpr_p, p.composite_p, p.custom_vmap_p}
)  # fmt: skip


class _Reader:
    """Reads a program equation by equation; `found` has the repeated sums by their equations."""

    def __init__(self, every: Mapping[Any, int]) -> None:
        self._every = every  # axis of any map in the program
        self.found: dict[int, RepeatedSum] = {}
        self._sites: dict[int, RepeatedSum] = {}
        self._sizes: Mapping[Any, int] = {}  # of the axes of the maps around
        self._typed = False

    def outputs(self, closed: Any, inputs: Sequence[Known]) -> list[Known]:
        """What is known about the outputs of a program, given what is about its inputs."""
        jaxpr, _ = jaxprs.open_jaxpr(closed)
        uses = uses_in(jaxpr)
        known: dict[Any, Known] = dict(zip(jaxpr.invars, inputs, strict=True))

        def read(atom: Any) -> Known:
            return CONSTANT if jaxprs.is_literal(atom) else known.get(atom, CONSTANT)

        for equation in jaxpr.eqns:
            operands = [read(atom) for atom in equation.invars]
            results = self._apply(equation, operands, uses)
            known.update(zip(equation.outvars, results, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _apply(self, equation: Any, operands: list[Known], uses: Uses) -> list[Known]:
        primitive, params = equation.primitive, equation.params
        if primitive in SUMS and mapped_axes(params):
            mean = is_mean(equation, uses, self._summands(equation))
            return [self._sum(equation, known, mean=mean) for known in operands]
        if primitive in _CALLS:
            return self.outputs(next(_programs(equation)), operands)
        bodies = {
            p.shard_map_p: self._map, p.scan_p: self._scan, p.while_p: self._while,
            p.cond_p: self._cond,
        }  # fmt: skip
        if primitive in bodies:
            return bodies[primitive](params, operands)
        known = plainly(equation, operands, frozenset(self._sizes))
        for place in range(len(operands)):
            by = divisor(equation, place, uses.numbers)
            known = known if by is None else divided(known, by, self._every)
        return [known for _ in equation.outvars]

    # --- bodies -----------------------------------------------------------------------------------

    def _map(self, params: Mapping[str, Any], operands: list[Known]) -> list[Known]:
        manual, around = frozenset(params["newly_manual_axes"]), (self._sizes, self._typed)
        sizes = {axis: n for axis, n in _sizes(params).items() if axis in manual}
        self._sizes, self._typed = {**self._sizes, **sizes}, bool(params["check_vma"])
        given = []
        for operand, spec in zip(operands, params["in_specs"], strict=True):
            split = _named(spec) & manual
            # JAX divides the cotangent of a copied output among the copies outside of the map.
            given.append(Known(operand.varies | split, averaged=operand.averaged - split))
        results = self.outputs(params["jaxpr"], given)
        for pending in (pending for known in results for pending in known.pending):
            self._settle(pending)
        self._sizes, self._typed = around
        return [Known(known.varies - manual) for known in results]

    def _loop(
        self, body: Any, operands: list[Known], consts: int, carried: int | None
    ) -> list[Known]:
        """A loop's results: what is carried is joined with what it was, until nothing changes."""
        end = len(operands) if carried is None else consts + carried
        carry, before = operands[consts:end], None
        results: list[Known] = []
        while carry != before:
            before = carry
            results = self.outputs(body, [*operands[:consts], *carry, *operands[end:]])
            carry = [join(a, b) for a, b in zip(carry, results, strict=False)]
        return [*carry, *results[len(carry) :]]

    def _scan(self, params: Mapping[str, Any], operands: list[Known]) -> list[Known]:
        consts, carried = jaxprs.scan_counts(dict(params))
        return self._loop(params["jaxpr"], operands, consts, carried)

    def _while(self, params: Mapping[str, Any], operands: list[Known]) -> list[Known]:
        asked = params["cond_nconsts"]
        results = self._loop(params["body_jaxpr"], operands[asked:], params["body_nconsts"], None)
        (goes_on,) = self.outputs(params["cond_jaxpr"], [*operands[:asked], *results])
        return [join(known, Known(goes_on.varies, True)) for known in results]

    def _cond(self, params: Mapping[str, Any], operands: list[Known]) -> list[Known]:
        results = [self.outputs(branch, operands[1:]) for branch in params["branches"]]
        asked = Known(operands[0].varies, operands[0].constant)
        return [join(asked, *each) for each in zip(*results, strict=True)]

    # --- sums -------------------------------------------------------------------------------------

    def _summands(self, equation: Any, axes: Any = None) -> int:
        """How many devices a sum is over, or how many of them along some of its axes."""
        groups = equation.params.get("axis_index_groups")
        named = mapped_axes(equation.params) if axes is None else axes
        return size_of(self._sizes, named) if groups is None else len(groups[0])

    def _sum(self, equation: Any, known: Known, *, mean: bool) -> Known:
        axes = frozenset(mapped_axes(equation.params))
        equal, varying = axes - known.varies, axes & known.varies
        pending = {f for f in known.pending if not f.axes & varying}
        for factor in known.pending - pending:
            if not mean:
                self._settle(factor, again=True)
        pending |= self._equal(equation, known, equal, mean=mean)
        grouped = equation.params.get("axis_index_groups") is not None
        stays = grouped or equation.primitive is p.reduce_scatter_p
        return Known(
            known.varies | axes if stays else known.varies - axes, known.constant and not stays,
            (known.summed - varying) | (axes - known.averaged),
            known.averaged - axes, frozenset(pending),
        )  # fmt: skip

    def _equal(
        self, equation: Any, known: Known, axes: frozenset[Any], *, mean: bool
    ) -> set[Pending]:
        """A sum over axes on whose devices the value is the same; returns the factor in it."""
        size = self._summands(equation, axes)
        if not axes or size == 1:
            return set()
        site = self._site(equation, axes, "mean" if mean else "sum", size)
        balanced = axes <= known.averaged
        if known.constant:
            return set() if self._typed else {Pending(site, axes, True, balanced)}
        if mean:
            if axes & (known.summed - known.averaged):
                self.found[site] = self._sites[site]
        elif not balanced and self._typed:
            self.found[site] = self._sites[site]
        elif not balanced:
            return {Pending(site, axes, False)}
        return set()

    def _site(self, equation: Any, axes: frozenset[Any], kind: str, size: int) -> int:
        line = compat.source_line(equation.source_info)
        source = None if line is None else Path(line).name
        name = str(equation.primitive.name)
        self._sites[id(equation)] = RepeatedSum(
            name, kind, tuple(a for a in self._sizes if a in axes), size, self._typed, source
        )
        return id(equation)

    def _settle(self, factor: Pending, *, again: bool = False) -> None:
        """Whether a factor is one too many, when it is summed again or leaves the map."""
        harmless = factor.constant and (not factor.crossed or (factor.balanced and not again))
        if not harmless:
            self.found[factor.site] = self._sites[factor.site]._replace(kind="sum")


def _named(spec: Any) -> frozenset[Any]:
    """The axes over which a specification splits."""
    parts = (part if isinstance(part, tuple) else (part,) for part in spec)
    return frozenset(name for names in parts for name in names if isinstance(name, str))
