"""Where a run takes place: on one device, or on a mesh that ``--mesh`` describes."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from funcgrad._descent import init_state
from funcgrad._errors import ConfigurationError
from funcgrad.models.widenet import WideNetParams, widenet_specs
from funcgrad.parallel import make_mesh, parse_mesh, put, shard_params
from funcgrad.train.task import Task

AXES = ("data", "model")


def make_layout(text: str | None) -> Mesh | None:
    """Make the mesh of a run: its axis `data` splits the examples, `model` the hidden units.

    Args:
        text: what ``--mesh`` was given; None for one device, or with several processes for all of
            them along `data`.

    Raises:
        ConfigurationError: the text is no mesh, has other axes, or does not fit the devices.

    >>> make_layout(None) is None, dict(make_layout("model=1").shape)
    (True, {'data': 1, 'model': 1})
    """
    if text is None and jax.process_count() == 1:
        return None
    axes = {"data": jax.device_count()} if text is None else parse_mesh(text)
    if strange := [name for name in axes if name not in AXES]:
        raise ConfigurationError(
            f"--mesh {text} has the axis {strange[0]!r}, but a run knows only the axes 'data', "
            "over which the examples are split, and 'model', over which the hidden units are"
        )
    mesh = make_mesh({"data": 1} | axes)
    if jax.process_count() > 1 and mesh.size != jax.device_count():
        raise ConfigurationError(
            f"--mesh {text} has {mesh.size} places, but the {jax.process_count()} processes have "
            f"{jax.device_count()} devices together; with several processes use all of them"
        )
    return mesh


def check_fit(task: Task, width: int, mesh: Mesh | None) -> None:
    """Raise unless examples and hidden units can be split evenly over the mesh.

    Raises:
        ConfigurationError: they cannot.
    """
    if mesh is None:
        return
    places, parts = mesh.shape["data"], mesh.shape.get("model", 1)
    examples = task.batch_size or len(task.data.x)
    if examples % places:
        what = f"the {examples} examples of a step"
        hint = (
            f"--batch-size {examples // places * places}" if examples > places else "fewer places"
        )
        raise ConfigurationError(
            f"{what} cannot be split evenly over data={places}; choose a multiple of {places}, for "
            f"example by {hint}"
        )
    if width % parts:
        raise ConfigurationError(
            f"--width {width} cannot be split evenly over model={parts}; choose a multiple of "
            f"{parts}"
        )


def place_params(params: WideNetParams, mesh: Mesh | None) -> WideNetParams:
    """Put parameters where the run takes place: replicated, or split along their width."""
    if mesh is None:
        return params
    specs = widenet_specs("model") if "model" in mesh.shape else PartitionSpec()
    placed: WideNetParams = shard_params(params, mesh, specs)
    return placed


def place_state(
    optimizer: optax.GradientTransformation, params: WideNetParams, mesh: Mesh | None
) -> Any:
    """Make the first state of an optimiser where its parameters are.

    A leaf that belongs to a parameter, as its path and its shape say, is split as the parameter is;
    the rest is on every device. Parameters that are only planned have a state that is.
    """
    planned = any(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in params.values())
    first = partial(init_state, optimizer)
    state = jax.eval_shape(first, params) if planned else first(params)
    if mesh is None:
        return state

    def placed(path: Any, leaf: Any) -> Any:
        key = getattr(path[-1], "key", None) if path else None
        owner = params.get(key) if isinstance(key, str) else None
        if owner is None or owner.shape != leaf.shape:
            return leaf
        assert isinstance(owner.sharding, NamedSharding)
        return put(leaf, owner.sharding)

    return jax.tree_util.tree_map_with_path(placed, state)


def place_rest(tree: Any, mesh: Mesh | None) -> Any:
    """Replicate the leaves of a tree that do not lie on the mesh yet."""
    if mesh is None:
        return tree
    everywhere = NamedSharding(mesh, PartitionSpec())

    def placed(leaf: jax.Array) -> jax.Array:
        on_mesh = isinstance(leaf.sharding, NamedSharding) and leaf.sharding.mesh == mesh
        return leaf if on_mesh else put(leaf, everywhere)

    return jax.tree.map(placed, tree)


def shardings(tree: Any, mesh: Mesh | None) -> Any:
    """The shardings of a tree's leaves, for the results of a program that goes on from them."""
    return None if mesh is None else jax.tree.map(lambda leaf: leaf.sharding, tree)


def describe(mesh: Mesh | None) -> str:
    """A mesh in words, or nothing.

    >>> describe(make_layout("data=1"))
    ', 1 device as data=1'
    """
    if mesh is None:
        return ""
    axes = ", ".join(f"{name}={size}" for name, size in mesh.shape.items())
    devices = f"{mesh.size} device{'s' if mesh.size > 1 else ''}"
    count = jax.process_count()
    return f", {devices} as {axes}" + (f" in {count} processes" if count > 1 else "")
