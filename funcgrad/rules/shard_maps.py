"""`shard_map` in reverse: the body's tape on every device, its sweep in a second `shard_map`.

The forward map returns the residuals of each device beside the outputs, stacked along a new leading
axis. With typed mapped axes the rules of the collectives do all the summing. Without the types,
what an output's specification does not mention is a copy on every device, whose cotangent is
divided among the copies; what an input's does not mention was copied, so its cotangents are summed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
from jax import lax
from jax.sharding import PartitionSpec

from .. import _jaxcompat as compat
from .._jaxcompat import primitives as p
from .._registry import structured
from .._staging import Origin, Staged, analyse
from .._tape import Options
from .._trace import record


class Mapping(NamedTuple):
    """All of a shard_map but its values."""

    staged: Staged
    needed: tuple[bool, ...]
    mesh: Any
    axes: frozenset[Any]
    typed: bool
    in_specs: tuple[Any, ...]
    out_specs: tuple[Any, ...]
    residual_specs: tuple[Any, ...]
    in_types: tuple[Any, ...]  # of the values on one device


class Kept(NamedTuple):
    """What a shard_map keeps: values that its backward map takes, and how it takes them."""

    values: tuple[Any, ...]
    mapping: compat.Opaque


def _forward(
    options: Options, needed: tuple[bool, ...], operands: Sequence[Any], params: dict[str, Any]
) -> tuple[Any, Kept]:
    """Map the body with its residuals; returns JAX's tree of outputs, which the trace refills."""
    body, trace = params["function"], params["trace"]
    call = params["call"]
    axes, typed = call["newly_manual_axes"], call["check_vma"]
    found: dict[str, Any] = {}

    def flat(*values: Any) -> list[Any]:
        found["tree"], found["out_specs"] = body(*values).unpack_aux()
        return list(found["tree"])

    def on_device(*values: Any) -> tuple[list[Any], list[Any]]:
        results, tape = record(flat, values, differentiate=needed, options=options)
        staged, residuals = analyse(tape, values, results)
        specs = [residual_spec(value, axes, typed) for value in residuals]
        stacks = [lax.expand_dims(value, [0]) for value in residuals]
        found.update(staged=staged, specs=specs, types=[compat.typeof(v) for v in values])
        return [*results, *stacks], [*found["out_specs"], *specs]

    results = compat.map_shards(trace, p.shard_map_p, on_device, operands, call)
    staged: Staged = found["staged"]
    mapping = Mapping(
        staged, needed, call["mesh"], frozenset(axes), typed, tuple(call["in_specs"]),
        tuple(found["out_specs"]), tuple(found["specs"]), tuple(found["types"]),
    )  # fmt: skip
    values = tuple(staged.pick(staged.kept(), operands, results))
    outputs = found["tree"].update(results[: staged.outputs])
    return outputs, Kept(values, compat.Opaque(mapping))


def _unmentioned(spec: Any, axes: frozenset[Any]) -> list[Any]:
    named = {name for part in spec for name in (part if isinstance(part, tuple) else (part,))}
    return sorted(axes - named)


def _backward(kept: Kept, _needed: tuple[bool, ...], arriving: Sequence[Any]) -> list[Any]:
    mapping: Mapping = kept.mapping.value
    order = {origin: i for i, origin in enumerate(mapping.staged.kept())}
    here = [i for i, ct in enumerate(arriving) if ct is not None]

    def on_device(values: Sequence[Any], given: Sequence[Any]) -> list[Any]:
        cotangents: list[Any] = [None] * len(arriving)
        for i, ct in zip(here, given, strict=True):
            cotangents[i] = ct if mapping.typed else _share(mapping, i, ct)

        def value_of(origin: Origin) -> Any:
            value = values[order[origin]]
            return lax.squeeze(value, [0]) if origin.kind == "residual" else value

        return _complete(mapping, mapping.staged.pull(value_of, cotangents))

    specs = [_spec_of(mapping, origin) for origin in mapping.staged.kept()]
    run = jax.shard_map(
        on_device,
        mesh=mapping.mesh,
        in_specs=(specs, [_of_cotangent(mapping.out_specs[i]) for i in here]),
        out_specs=[
            _of_cotangent(spec)
            for spec, wanted in zip(mapping.in_specs, mapping.needed, strict=True)
            if wanted
        ],
        axis_names=set(mapping.axes),
        check_vma=mapping.typed,
    )
    results = iter(run(list(kept.values), [arriving[i] for i in here]))
    return [next(results) if wanted else None for wanted in mapping.needed]


def _of_cotangent(spec: Any) -> Any:
    """The specification of a cotangent: where sums were put off, and where theirs shall be."""
    return PartitionSpec(*spec.partitions, unreduced=spec.reduced, reduced=spec.unreduced)


def _spec_of(mapping: Mapping, origin: Origin) -> Any:
    pools = {
        "input": mapping.in_specs,
        "output": mapping.out_specs,
        "residual": mapping.residual_specs,
    }
    return pools[origin.kind][origin.place]


def _share(mapping: Mapping, output: int, ct: Any) -> Any:
    """One device's share of the cotangent of an output of which every device holds a copy."""
    copies = _unmentioned(mapping.out_specs[output], mapping.axes)
    sizes = dict(zip(mapping.mesh.axis_names, mapping.mesh.axis_sizes, strict=True))
    return ct / math.prod(sizes[axis] for axis in copies) if copies else ct


def _complete(mapping: Mapping, pulled: Sequence[Any]) -> list[Any]:
    """The cotangents of the wanted inputs, with zeros filled in, summed where they were copied."""
    results = []
    everything = zip(mapping.in_types, mapping.in_specs, mapping.needed, pulled, strict=True)
    for aval, spec, wanted, ct in everything:
        if not wanted:
            continue
        whole = compat.zeros(compat.cotangent_type(aval)) if ct is None else ct
        copied = [] if mapping.typed else _unmentioned(spec, mapping.axes)
        results.append(lax.psum(whole, tuple(copied)) if copied else whole)
    return results


def residual_spec(value: Any, axes: frozenset[Any], typed: bool) -> Any:
    """How the residuals of all devices are stacked: along the axes over which they differ."""
    if not typed:
        return PartitionSpec(tuple(sorted(axes)) or None)
    aval = compat.typeof(value)
    differing = compat.varying_axes(aval) & axes
    return PartitionSpec(tuple(sorted(differing)) or None, **compat.deferred_sums(aval))


structured(p.shard_map_p, _forward, _backward)
