"""Gradients inside and through `jax.shard_map`: run by `test_devices.py` with eight devices.

Every program of a kind is one body of one map, which saves compilations. With typed mapped axes
(`check_vma=True`) the gradient of a parameter that is the same on all devices is summed over them
already; without the types it is each device's own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import lax
from jax.sharding import PartitionSpec

import funcgrad
from funcgrad.parallel import make_mesh, replicate, shard_batch, shard_params

P = PartitionSpec
WHOLE = P()  # the same on every device
MESHES = ({"data": 8}, {"data": 4, "model": 2})
EXAMPLES = 24  # three or six on a device, which is no size of an axis
X = np.linspace(-1.0, 1.0, EXAMPLES * 4, dtype=np.float32).reshape(EXAMPLES, 4) ** 2
Y = np.sin(3 * X.sum(1))
PARAMS = {"w": np.array([0.3, -0.5, 0.7, 0.2], np.float32), "b": np.float32(0.1)}
RATE = 0.1
Body = Callable[[Any, Any, Any], Any]


class Setting(NamedTuple):
    """A mesh, and whether a map's axes are typed."""

    mesh: Any
    typed: bool

    def mapped(self, body: Body, out: Any = WHOLE) -> Any:
        """A body over the examples of each device."""
        return jax.shard_map(
            body, mesh=self.mesh, in_specs=(WHOLE, P("data"), P("data")), out_specs=out,
            check_vma=self.typed,
        )  # fmt: skip

    def run(self, body: Body, out: Any = WHOLE) -> Any:
        return jax.jit(self.mapped(body, out))(*self.placed())

    def placed(self) -> tuple[Any, Any, Any]:
        return replicate(PARAMS, self.mesh), *shard_batch((X, Y), self.mesh)

    @property
    def places(self) -> int:
        return int(self.mesh.shape["data"])


@pytest.fixture(name="setting", params=MESHES, ids=str)
def made_setting(request: Any, typed: bool, explicit: bool) -> Setting:
    return Setting(make_mesh(request.param, explicit=explicit), typed)


pytestmark = [
    pytest.mark.parametrize("typed", [True, False], ids=["typed", "untyped"]),
    pytest.mark.parametrize("explicit", [False, True], ids=["auto", "explicit"]),
]


def loss(p: Any, x: Any, y: Any) -> Any:
    return jnp.mean((jnp.tanh(x @ p["w"] + p["b"]) - y) ** 2)


def mean_loss(p: Any, x: Any, y: Any) -> Any:
    return lax.pmean(loss(p, x, y), "data")


def total_loss(p: Any, x: Any, y: Any) -> Any:
    return lax.psum(loss(p, x, y), "data")


def own(p: Any) -> Any:
    """Parameters of which every device has its own copy, so that no gradient is summed."""
    return lax.pcast(p, "data", to="varying")


mean, total = partial(lax.pmean, axis_name="data"), partial(lax.psum, axis_name="data")


def close(received: Any, expected: Any, what: str, rtol: float = 1e-5) -> None:
    for path, leaf in jax.tree.leaves_with_path(expected):
        found = dict(jax.tree.leaves_with_path(received))[path]
        np.testing.assert_allclose(found, leaf, rtol, 1e-7, err_msg=f"{what} {path}")


def times(factor: float, tree: Any) -> Any:
    return jax.tree.map(lambda leaf: factor * leaf, tree)


# --- inside a map ---------------------------------------------------------------------------------


def right(module: Any, places: int) -> dict[str, Body]:
    """Programs whose result is the gradient of the mean over all examples, under either typing."""
    grad = module.grad

    def scanned(p: Any, x: Any, y: Any) -> Any:
        def step(sums: Any, part: Any) -> Any:
            gradient = grad(loss)(own(p), *part)
            return jax.tree.map(jnp.add, sums, gradient), None

        parts = x.reshape(3, -1, 4), y.reshape(3, -1)
        sums, _ = lax.scan(step, jax.tree.map(jnp.zeros_like, own(p)), parts)
        return mean(times(1 / 3, sums))

    return {
        "copies, then the mean": lambda p, x, y: mean(grad(loss)(own(p), x, y)),
        "copies, then the sum": lambda p, x, y: times(1 / places, total(grad(loss)(own(p), x, y))),
        "of the mean, and its mean": lambda p, x, y: mean(grad(mean_loss)(p, x, y)),
        "accumulated": scanned,
        "with the loss": lambda p, x, y: mean(module.value_and_grad(loss)(own(p), x, y)[1]),
    }


def right_if_typed(module: Any, places: int) -> dict[str, Body]:
    """Programs that leave the sum to the types."""
    grad = module.grad
    return {
        "of the mean": grad(mean_loss),
        "a sum, divided": lambda p, x, y: times(1 / places, grad(loss)(p, x, y)),
        "of a share": lambda p, x, y: grad(lambda p: loss(p, x, y) / places)(p),
        "of the jitted mean": grad(jax.jit(mean_loss)),
        "of the remembered mean": grad(jax.checkpoint(mean_loss)),
    }


def right_if_untyped(module: Any, _places: int) -> dict[str, Body]:
    """Programs that do the summing themselves."""
    return {"its mean": lambda p, x, y: mean(module.grad(loss)(p, x, y))}


def too_large(module: Any, _places: int) -> dict[str, Body]:
    """Programs with the sum taken twice, whatever the typing."""
    return {"of the sum, and its mean": lambda p, x, y: mean(module.grad(total_loss)(p, x, y))}


def too_large_if_typed(module: Any, _places: int) -> dict[str, Body]:
    return {
        "summed, and its mean": lambda p, x, y: mean(module.grad(loss)(p, x, y)),
        "of the mean, and its sum": lambda p, x, y: total(module.grad(mean_loss)(p, x, y)),
    }


def too_large_if_untyped(module: Any, _places: int) -> dict[str, Body]:
    return {"of the mean, and its sum": lambda p, x, y: total(module.grad(mean_loss)(p, x, y))}


def everything(programs: dict[str, Body]) -> Body:
    return lambda p, x, y: {name: body(p, x, y) for name, body in programs.items()}


def test_gradients_inside_a_map_are_those_of_one_device(setting: Setting) -> None:
    typed = right_if_typed if setting.typed else right_if_untyped
    alone = jax.grad(loss)(PARAMS, X, Y)
    for module in (funcgrad, jax):
        programs = right(module, setting.places) | typed(module, setting.places)
        for name, gradient in setting.run(everything(programs)).items():
            close(gradient, alone, f"{module.__name__}: {name}")


def test_a_sum_taken_twice_is_too_large_as_it_is_in_jax(setting: Setting) -> None:
    """The trap that the checks look for; our engine must not hide it."""
    typed = too_large_if_typed if setting.typed else too_large_if_untyped
    expected = times(setting.places, jax.grad(loss)(PARAMS, X, Y))
    for module in (funcgrad, jax):
        programs = too_large(module, setting.places) | typed(module, setting.places)
        for name, gradient in setting.run(everything(programs)).items():
            close(gradient, expected, f"{module.__name__}: {name}")


def test_each_device_has_a_gradient_of_its_own(setting: Setting) -> None:
    def body(p: Any, x: Any, y: Any) -> Any:
        gradient = funcgrad.grad(loss)(own(p), x, y)
        return jax.tree.map(lambda leaf: leaf[None], gradient)

    found = setting.run(body, P("data"))
    parts = zip(np.split(X, setting.places), np.split(Y, setting.places), strict=True)
    each = [jax.grad(loss)(PARAMS, *part) for part in parts]
    close(found, jax.tree.map(lambda *leaves: np.stack(leaves), *each), "on its own")


def test_second_derivatives_inside_a_map(setting: Setting) -> None:
    def product(module: Any, fun: Any, p: Any, x: Any, y: Any) -> Any:
        def along(p: Any) -> Any:
            return sum(map(jnp.sum, jax.tree.leaves(module.grad(fun)(p, x, y))))

        return module.grad(along)(p)

    alone = product(jax, loss, PARAMS, X, Y)
    for module in (funcgrad, jax):

        def body(p: Any, x: Any, y: Any, module: Any = module) -> Any:
            return mean(product(module, loss, own(p), x, y))

        found = setting.run(body)
        close(found, alone, module.__name__, rtol=1e-4)


# --- through a map --------------------------------------------------------------------------------


def test_gradients_through_a_map_are_those_of_one_device(setting: Setting) -> None:
    alone = jax.value_and_grad(loss, (0, 1))(PARAMS, X, Y)
    whole, each = setting.mapped(mean_loss), setting.mapped(lambda *a: loss(*a)[None], P("data"))
    for name, fun in {"copied": whole, "stacked": lambda *a: jnp.mean(each(*a))}.items():
        ours = funcgrad.value_and_grad(fun, (0, 1))
        with jax.set_mesh(setting.mesh):
            args = setting.placed()
            for how, found in {"eager": ours(*args), "jit": jax.jit(ours)(*args)}.items():
                close(found, alone, f"{name}, {how}")
            theirs = jax.jit(jax.value_and_grad(fun, (0, 1)))(*args)
            close(theirs, alone, f"{name}, jax")


def split_loss(p: Any, x: Any, y: Any) -> Any:
    """Examples split over `data`, features and their weights over `model`."""
    partial_sum = lax.psum(x @ p["w"], "model")
    return lax.pmean(jnp.mean((jnp.tanh(partial_sum + p["b"]) - y) ** 2), "data")


@pytest.mark.parametrize("setting", MESHES[1:], ids=str, indirect=True)
def test_split_parameters_have_split_gradients(setting: Setting) -> None:
    split = {"w": P("model"), "b": P()}
    specs = (split, P("data", "model"), P("data"))
    fun = jax.shard_map(
        split_loss, mesh=setting.mesh, in_specs=specs, out_specs=P(), check_vma=setting.typed
    )
    alone = jax.grad(loss)(PARAMS, X, Y)
    params = shard_params(PARAMS, setting.mesh, split)
    x, y = shard_params((X, Y), setting.mesh, specs[1:])
    with jax.set_mesh(setting.mesh):
        ours, theirs = (jax.jit(module.grad(fun))(params, x, y) for module in (funcgrad, jax))
    close(ours, alone, "ours")
    close(theirs, alone, "jax")
    assert ours["w"].sharding.is_equivalent_to(params["w"].sharding, 1)


# --- descent --------------------------------------------------------------------------------------


def test_descent_through_a_map_is_that_of_one_device(setting: Setting) -> None:
    adam = optax.adam(RATE)
    alone = funcgrad.minimize(loss, PARAMS, adam, X, Y, steps=5)
    with jax.set_mesh(setting.mesh):
        params, x, y = setting.placed()
        whole = setting.mapped(mean_loss)
        together = funcgrad.minimize(whole, params, adam, x, y, steps=5)
        one = funcgrad.gd_step(whole, params, RATE, x, y)
    np.testing.assert_allclose(together.losses, alone.losses, rtol=1e-5)
    close(together.params, alone.params, "minimize", rtol=1e-4)
    close(one, funcgrad.gd_step(loss, PARAMS, RATE, X, Y), "gd_step")


def test_descent_inside_a_map_is_that_of_one_device(setting: Setting) -> None:
    adam = optax.adam(RATE)
    alone = {
        "gd_step": funcgrad.gd_step(loss, PARAMS, RATE, X, Y),
        "descend": funcgrad.descend(loss, PARAMS, RATE, 5, X, Y).params,
        "minimize": funcgrad.minimize(loss, PARAMS, adam, X, Y, steps=5).params,
    }

    def body(p: Any, x: Any, y: Any) -> Any:
        return {
            "gd_step": funcgrad.gd_step(mean_loss, p, RATE, x, y),
            "descend": funcgrad.descend(mean_loss, p, RATE, 5, x, y).params,
            "minimize": funcgrad.minimize(mean_loss, p, adam, x, y, steps=5).params,
        }

    def by_hand(p: Any, x: Any, y: Any) -> Any:
        """Without the types the gradient of the mean is each device's own, still to be summed."""
        step = jax.tree.map(jnp.subtract, p, funcgrad.gd_step(mean_loss, p, RATE, x, y))
        return {"gd_step": jax.tree.map(lambda p, s: p - s, p, mean(step))}

    found = setting.run(body if setting.typed else by_hand)
    for name, params in found.items():
        close(params, alone[name], name, rtol=1e-4)
