"""Where arrays lie on a mesh: the same on every device, or split along one of its axes."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from funcgrad._errors import GradientValueError, TreeError
from funcgrad._trees import PyTree, leaf_paths


def replicate(tree: PyTree, mesh: Mesh) -> PyTree:
    """Put a copy of every leaf on every device of a mesh.

    Args:
        tree: a pytree of arrays and numbers, in every process the same.
        mesh: with axes of any type; where they are Explicit, the sharding is part of the type.

    >>> from funcgrad.parallel import make_mesh
    >>> replicate({"w": 2.0}, make_mesh({"data": 1}))["w"].sharding.spec
    P()
    """
    return shard_params(tree, mesh, PartitionSpec())


def shard_batch(tree: PyTree, mesh: Mesh, axis: str = "data", *, local: bool = False) -> PyTree:
    """Split every leaf along its first axis, the examples, over one axis of a mesh.

    Args:
        tree: a pytree of arrays whose first axis counts the examples.
        mesh: the mesh.
        axis: the axis of the mesh.
        local: every process gives only its own part of the examples, in the order of the processes;
            by default every process gives all of them, of which it moves its part to its devices.

    Returns:
        The tree with arrays that are spread over the mesh.

    Raises:
        GradientValueError: the mesh has no such axis, or the examples cannot be split evenly.

    >>> from funcgrad.parallel import make_mesh
    >>> x, y = shard_batch((np.ones((4, 2)), np.ones(4)), make_mesh({"data": 1}))
    >>> x.sharding.spec
    P('data',)
    """
    _check_axes(PartitionSpec(axis), mesh)
    parts = mesh.shape[axis] // (jax.process_count() if local else 1)
    for leaf, path in zip(jax.tree.leaves(tree), leaf_paths(tree), strict=True):
        length = np.shape(leaf)[0] if np.ndim(leaf) else 0
        if length == 0 or length % parts:
            raise GradientValueError(
                f"a batch of shape {np.shape(leaf)} at batch{path} cannot be split evenly over the "
                f"{parts} places of the mesh axis {axis!r}; give a multiple of {parts} examples"
            )
    sharding = NamedSharding(mesh, PartitionSpec(axis))
    if local:
        return jax.tree.map(
            lambda leaf: jax.make_array_from_process_local_data(sharding, np.asarray(leaf)), tree
        )
    return jax.tree.map(lambda leaf: put(leaf, sharding), tree)


def shard_params(params: PyTree, mesh: Mesh, specs: PyTree) -> PyTree:
    """Put parameters on a mesh, each leaf split as its `PartitionSpec` says.

    Args:
        params: a pytree of arrays and numbers, in every process the same.
        mesh: the mesh.
        specs: a pytree of `PartitionSpec`s of the structure of `params`, or of its upper part,
            whose specs then hold for all below; `funcgrad.models.widenet_specs` makes one.

    Raises:
        TreeError: `specs` has another structure than `params`.
        GradientValueError: a spec names an axis that the mesh does not have, has more entries than
            its leaf has axes, or splits one that is not divisible.

    >>> from funcgrad.parallel import make_mesh
    >>> mesh = make_mesh({"model": 1})
    >>> specs = {"w": PartitionSpec(None, "model"), "b": PartitionSpec()}
    >>> shard_params({"w": np.ones((3, 4)), "b": 0.0}, mesh, specs)["w"].sharding.spec
    P(None, 'model')
    """
    leaves, structure = jax.tree.flatten(params)
    try:
        spread = jax.tree.leaves(
            jax.tree.broadcast(specs, params, is_leaf=_is_spec), is_leaf=_is_spec
        )
    except ValueError as error:
        raise TreeError(
            f"the specs are of the structure {jax.tree.structure(specs, is_leaf=_is_spec)}, which "
            f"is no upper part of that of the parameters, {structure}"
        ) from error
    placed = [
        _split(leaf, path, mesh, spec)
        for leaf, path, spec in zip(leaves, leaf_paths(params), spread, strict=True)
    ]
    return jax.tree.unflatten(structure, placed)


def gather(tree: PyTree) -> PyTree:
    """Copy every leaf of a tree from wherever it lies into this process, as NumPy arrays.

    With several processes all of them have to call this, for parts come from the others.

    >>> gather({"w": jax.numpy.ones(2)})
    {'w': array([1., 1.], dtype=float32)}
    """
    return jax.tree.map(_gathered, tree)


def put(leaf: Any, sharding: NamedSharding) -> jax.Array:
    """Move one array, a leaf, to where a sharding says; a process moves what its devices hold.

    A `jax.ShapeDtypeStruct` stays one, and learns the sharding: what is only compiled needs no
    memory.

    >>> from funcgrad.parallel import make_mesh
    >>> sharding = NamedSharding(make_mesh({"data": 1}), PartitionSpec("data"))
    >>> put(jax.ShapeDtypeStruct((2**40,), "float32"), sharding).sharding.spec
    P('data',)
    """
    if isinstance(leaf, jax.ShapeDtypeStruct):
        planned: jax.Array = leaf.update(sharding=sharding)
        return planned
    if sharding.is_fully_addressable:
        moved: jax.Array = jax.device_put(leaf, sharding)
        return moved
    host = np.asarray(leaf, jax.dtypes.canonicalize_dtype(np.asarray(leaf).dtype))
    return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])


def _gathered(leaf: jax.Array) -> np.ndarray[Any, Any]:
    if not (leaf.is_fully_addressable or leaf.is_fully_replicated):
        assert isinstance(leaf.sharding, NamedSharding)
        everywhere = NamedSharding(leaf.sharding.mesh, PartitionSpec())
        leaf = jax.jit(lambda x: x, out_shardings=everywhere)(leaf)
    return np.asarray(leaf)


def _split(leaf: Any, path: str, mesh: Mesh, spec: PartitionSpec) -> jax.Array:
    if not _is_spec(spec):
        raise TreeError(f"params{path} has {spec!r:.60} for its spec; give a PartitionSpec")
    _check_axes(spec, mesh)
    sharding = NamedSharding(mesh, spec)
    try:
        sharding.shard_shape(np.shape(leaf))
    except ValueError as error:
        sizes = ", ".join(f"{name}={size}" for name, size in mesh.shape.items())
        raise GradientValueError(
            f"params{path} of shape {np.shape(leaf)} cannot be split as {spec} on a mesh of "
            f"{sizes}: every axis that is split must be a multiple of its axis of the mesh"
        ) from error
    return put(leaf, sharding)


def _check_axes(spec: PartitionSpec, mesh: Mesh) -> None:
    for entry in spec:
        for name in entry if isinstance(entry, tuple) else (entry,):
            if isinstance(name, str) and name not in mesh.shape:
                raise GradientValueError(
                    f"the mesh has no axis {name!r}; its axes are {', '.join(mesh.axis_names)}"
                )


def _is_spec(tree: Any) -> bool:
    return isinstance(tree, PartitionSpec)
