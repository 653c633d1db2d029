"""Equinox, with the rules of ours for its primitives, against `jax.grad`; where it is installed."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import funcgrad
from funcgrad.rules import third_party as third_party  # its rules are declared by the import
from tests.library.library_calls import Call, call, compare

eqx = pytest.importorskip("equinox")
eqxi = pytest.importorskip("equinox.internal")

KEY = jax.random.key(0)
ROWS = np.sin(np.arange(12.0, dtype=np.float32)).reshape(3, 4)
ROW, STATE = ROWS[0], ROWS[1, :3]

LAYERS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "Conv1d": (eqx.nn.Conv1d(3, 2, 2, key=KEY), (ROWS,)),
    "ConvTranspose1d": (eqx.nn.ConvTranspose1d(3, 2, 2, key=KEY), (ROWS,)),
    "Embedding": (eqx.nn.Embedding(3, 2, key=KEY), (np.array(1, np.int32),)),
    "GRUCell": (eqx.nn.GRUCell(4, 3, key=KEY), (ROW, STATE)),
    "GroupNorm": (eqx.nn.GroupNorm(1, 3), (ROWS,)),
    "LSTMCell": (eqx.nn.LSTMCell(4, 3, key=KEY), (ROW, (STATE, ROWS[2, :3]))),
    "LayerNorm": (eqx.nn.LayerNorm(4), (ROW,)),
    "MLP": (eqx.nn.MLP(4, 2, 5, 2, key=KEY), (ROW,)),
    "MaxPool1d": (eqx.nn.MaxPool1d(2), (ROWS,)),
    "MultiheadAttention": (eqx.nn.MultiheadAttention(2, 4, key=KEY), (ROWS, ROWS, ROWS)),
    "PReLU": (eqx.nn.PReLU(0.2), (ROWS,)),
    "RMSNorm": (eqx.nn.RMSNorm(4), (ROW,)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_our_gradient_of_a_layer_is_that_of_jax(name: str) -> None:
    layer, inputs = LAYERS[name]
    arrays, rest = eqx.partition(layer, eqx.is_array)
    compare(
        lambda arrays, *inputs: eqx.combine(arrays, rest)(*inputs),
        call(arrays, *inputs, factor=10),
    )


def test_dropout_with_a_fixed_key() -> None:
    layer = eqx.nn.Dropout(0.4)
    compare(lambda x: layer(x, key=KEY), call(ROWS))


# --- custom rules ---------------------------------------------------------------------------------


def _with_vjp() -> Any:
    tripled = eqx.filter_custom_vjp(lambda x, y: jnp.sin(x) * y)
    tripled.def_fwd(lambda _perturbed, x, y: (jnp.sin(x) * y, x))
    tripled.def_bwd(lambda x, ct, _perturbed, _x, _y: 3 * ct * jnp.cos(x))
    return lambda x: tripled(x, 2.0)


def _with_jvp() -> Any:
    quintupled = eqx.filter_custom_jvp(jnp.sin)
    quintupled.def_jvp(lambda x, t: (jnp.sin(x[0]), 5 * t[0] * jnp.cos(x[0])))
    return lambda x: jnp.sin(quintupled(x))


RULES = {
    "filter_custom_vjp": (_with_vjp(), call(ROWS)),
    "filter_custom_jvp": (_with_jvp(), call(ROWS, times=2)),
    "filter_checkpoint": (eqx.filter_checkpoint(jnp.sin), call(ROWS)),
    "error_if": (lambda x: eqx.error_if(jnp.sin(x), x[0, 0] > 9, "too large"), call(ROWS)),
}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_of_the_user_is_honoured(name: str) -> None:
    compare(*RULES[name])


# --- loops ----------------------------------------------------------------------------------------


def _loop(kind: str, **options: Any) -> Any:
    def run(a: Any) -> Any:
        def body(carry: Any) -> Any:
            return carry[0] + 1, jnp.sin(carry[1] * a) + carry[1] / 2

        start = (0, jnp.asarray(ROW))
        return eqxi.while_loop(
            lambda c: c[0] < 3 + (a[0] > 0), body, start, max_steps=8, kind=kind, **options
        )[1]

    return run


def _filling(kind: str) -> Any:
    """A loop that writes into a buffer."""

    def run(a: Any) -> Any:
        def body(carry: Any) -> Any:
            i, buffer, x = carry
            return i + 1, buffer.at[i].set(jnp.sin(a[i]) * x), x * a[0]

        start = (0, jnp.zeros(4, a.dtype), a[1])
        steps = 2 + (a[0] > 0)
        return eqxi.while_loop(
            lambda c: c[0] < steps, body, start, max_steps=4, kind=kind, buffers=lambda c: c[1]
        )[1]

    return run


LOOPS = {
    "bounded": _loop("bounded"),
    "checkpointed": _loop("checkpointed"),
    "few checkpoints": _loop("checkpointed", checkpoints=2),
    "buffers, bounded": _filling("bounded"),
    "buffers, checkpointed": _filling("checkpointed"),
    "scan": lambda a: eqxi.scan(
        lambda c, _: (jnp.sin(c * a), c), a, None, length=4, kind="checkpointed"
    ),
}


@pytest.mark.parametrize("name", LOOPS)
@pytest.mark.parametrize("batched", [False, True])
def test_our_gradient_of_a_loop_is_that_of_jax(name: str, batched: bool) -> None:
    loop = LOOPS[name]
    one: Call = call(ROWS) if batched else call(ROWS[1])
    compare(jax.vmap(loop) if batched else loop, one)


def test_a_refused_cotangent_is_an_error_unless_it_is_zero() -> None:
    def loss(x: Any, weight: Any) -> Any:
        return weight * eqxi.nondifferentiable_backward(x, name="This read-out") + x

    gradient = jax.jit(funcgrad.grad(loss))
    assert float(gradient(1.0, 0.0)) == 1.0
    with pytest.raises(Exception, match="This read-out cannot be reverse-mode"):
        gradient(1.0, 2.0).block_until_ready()
