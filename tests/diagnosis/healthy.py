"""Functions whose gradients are sound, though some look odd: a diagnosis must find nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen, nnx
from jax import lax


class Healthy(NamedTuple):
    """A function in order."""

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]


_KEY = jax.random.key(1)
X = jax.random.normal(_KEY, (6, 4))
IMAGES = jax.random.normal(_KEY, (2, 8, 8, 1))
LABELS = jnp.array([0, 1, 2, 0, 1, 2])
MASK = jnp.tril(jnp.ones((6, 6))) > 0


# --- Flax -----------------------------------------------------------------------------------------


class Mlp(nnx.Module):  # type: ignore[misc]  # flax is not followed
    def __init__(self, rngs: nnx.Rngs, zero_head: bool = False) -> None:
        init = nnx.initializers.zeros if zero_head else nnx.initializers.lecun_normal()
        self.first = nnx.Linear(4, 16, rngs=rngs)
        self.last = nnx.Linear(16, 3, kernel_init=init, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        return self.last(nnx.relu(self.first(x)))


class Normed(nnx.Module):  # type: ignore[misc]  # flax is not followed
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.dense = nnx.Linear(4, 8, rngs=rngs)
        self.batch = nnx.BatchNorm(8, rngs=rngs)
        self.layer = nnx.LayerNorm(8, rngs=rngs)
        self.drop = nnx.Dropout(0.3, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        return self.layer(self.drop(jnp.tanh(self.batch(self.dense(x)))))


class Attention(nnx.Module):  # type: ignore[misc]  # flax is not followed
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.attend = nnx.MultiHeadAttention(2, 4, 8, decode=False, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        return self.attend(x, mask=MASK)


class Cnn(linen.Module):  # type: ignore[misc]  # flax is not followed
    @linen.compact  # type: ignore[untyped-decorator]  # flax is not followed
    def __call__(self, x: Any) -> Any:
        x = linen.max_pool(linen.relu(linen.Conv(4, (3, 3))(x)), (2, 2), (2, 2))
        return linen.Dense(3)(x.reshape(x.shape[0], -1))


class Recurrent(linen.Module):  # type: ignore[misc]  # flax is not followed
    @linen.compact  # type: ignore[untyped-decorator]  # flax is not followed
    def __call__(self, x: Any) -> Any:
        return linen.RNN(linen.GRUCell(5))(x[None])


class Normal(linen.Module):  # type: ignore[misc]  # flax is not followed
    @linen.compact  # type: ignore[untyped-decorator]  # flax is not followed
    def __call__(self, x: Any) -> Any:
        x = linen.Dense(8)(linen.Embed(3, 4)(LABELS) + x)
        return linen.BatchNorm(use_running_average=True)(linen.gelu(x))


class Residual(linen.Module):  # type: ignore[misc]  # flax is not followed
    @linen.compact  # type: ignore[untyped-decorator]  # flax is not followed
    def __call__(self, x: Any) -> Any:
        for _ in range(12):
            x = x + linen.Dense(4)(linen.relu(linen.LayerNorm()(x)))
        return x


def nnx_loss(model: Any, x: Any, y: Any) -> Any:
    logits = model(x)
    return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()


def nnx_square(model: Any, x: Any) -> Any:
    return jnp.mean((model(x) - 0.3) ** 2)


def linen_loss(module: Any) -> Callable[..., Any]:
    def loss(variables: Any, x: Any) -> Any:
        return jnp.mean((module.apply(variables, x) - 0.3) ** 2)

    return loss


def _linen(name: str, module: Any, x: Any) -> Healthy:
    return Healthy(name, linen_loss(module), (module.init(_KEY, x), x))


class Block(nnx.Module):  # type: ignore[misc]  # flax is not followed
    def __init__(self, rngs: nnx.Rngs) -> None:
        small = nnx.initializers.normal(0.02)
        self.norms = nnx.List([nnx.LayerNorm(8, rngs=rngs) for _ in range(2)])
        self.attend = nnx.MultiHeadAttention(
            2, 8, 8, kernel_init=small, out_kernel_init=nnx.initializers.zeros, decode=False,
            rngs=rngs,
        )  # fmt: skip
        self.wide = nnx.Linear(8, 32, kernel_init=small, rngs=rngs)
        self.back = nnx.Linear(32, 8, kernel_init=small, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        x = x + self.attend(self.norms[0](x), mask=MASK)
        return x + self.back(nnx.gelu(self.wide(self.norms[1](x))))


class Language(nnx.Module):  # type: ignore[misc]  # flax is not followed
    """A transformer whose attention starts at zero, as is common."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.embed = nnx.Embed(11, 8, embedding_init=nnx.initializers.normal(0.02), rngs=rngs)
        self.blocks = nnx.List([Block(rngs) for _ in range(4)])

    def __call__(self, tokens: Any) -> Any:
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x)
        return self.embed.attend(x)


class Lstm(linen.Module):  # type: ignore[misc]  # flax is not followed
    @linen.compact  # type: ignore[untyped-decorator]  # flax is not followed
    def __call__(self, x: Any) -> Any:
        return linen.Dense(2)(linen.RNN(linen.LSTMCell(6))(x[None])[:, -1])


class Encoder(linen.Module):  # type: ignore[misc]  # flax is not followed
    """A variational autoencoder."""

    @linen.compact  # type: ignore[untyped-decorator]  # flax is not followed
    def __call__(self, x: Any) -> Any:
        mean, log_var = jnp.split(linen.Dense(4)(linen.relu(linen.Dense(8)(x))), 2, -1)
        z = mean + jnp.exp(0.5 * log_var) * jax.random.normal(_KEY, mean.shape)
        penalty = 0.5 * jnp.mean(mean**2 + jnp.exp(log_var) - 1 - log_var)
        return linen.Dense(4)(z) + penalty


class Trained(linen.Module):  # type: ignore[misc]  # flax is not followed
    @linen.compact  # type: ignore[untyped-decorator]  # flax is not followed
    def __call__(self, x: Any) -> Any:
        h = linen.BatchNorm(use_running_average=False)(linen.Dense(8)(x))
        return linen.Dense(1)(linen.Dropout(0.2, deterministic=False)(linen.relu(h)))


def trained(variables: Any, x: Any) -> Any:
    y, _ = Trained().apply(variables, x, mutable=["batch_stats"], rngs={"dropout": _KEY})
    return jnp.mean((y - 1.0) ** 2)


# --- losses and masks -----------------------------------------------------------------------------


def masked_attention(q: Any, k: Any, v: Any) -> Any:
    scores = jnp.where(MASK, q @ k.T / 2.0, -jnp.inf)
    return jnp.mean((jax.nn.softmax(scores) @ v) ** 2)


def finite_mask(q: Any) -> Any:
    lowest = float(np.finfo(np.float32).min)
    scores = jnp.where(MASK, q @ q.T, lowest)
    return jax.nn.logsumexp(scores, axis=-1).sum()


def double_where(x: Any) -> Any:
    safe = jnp.where(x > 0, x, 1.0)
    return jnp.sum(jnp.where(x > 0, jnp.log(safe), 0.0))


def stable_entropy(logits: Any) -> Any:
    return -jnp.sum(jax.nn.softmax(logits) * jax.nn.log_softmax(logits))


def hinge(w: Any, x: Any, y: Any) -> Any:
    return jnp.mean(jnp.maximum(0.0, 1 - y * (x @ w)))


def zeroed_nan(x: Any) -> Any:
    return jnp.nansum(x**2)


def dqn(online: Any, target: Any, x: Any) -> Any:
    aim = lax.stop_gradient(jnp.max(x @ target, axis=-1))
    return jnp.mean((jnp.max(x @ online, axis=-1) - 0.9 * aim) ** 2)


def straight_through(x: Any) -> Any:
    return jnp.sum((x + lax.stop_gradient(jnp.round(x) - x)) ** 2)


def dropout(w: Any, x: Any, key: Any) -> Any:
    keep = jax.random.bernoulli(key, 0.5, x.shape)
    return jnp.mean((jnp.where(keep, x / 0.5, 0.0) @ w) ** 2)


def sequence_loss(w: Any, x: Any, length: Any) -> Any:
    weight = (jnp.arange(x.shape[0]) < length).astype(x.dtype)
    return jnp.sum(weight * (x @ w) ** 2) / jnp.maximum(weight.sum(), 1)


def experts(p: Any, x: Any) -> Any:
    weight, which = lax.top_k(jax.nn.softmax(x @ p["gate"]), 2)
    outputs = jnp.einsum("bi,eij->bej", x, p["experts"])
    chosen = jnp.take_along_axis(outputs, which[..., None], axis=1)
    return jnp.mean(jnp.sum(weight[..., None] * chosen, axis=1) ** 2)


def gradient_penalty(w: Any, x: Any) -> Any:
    slope = jax.grad(lambda v: jnp.sum(jnp.tanh(v @ w)))(x)
    return jnp.mean((jnp.linalg.norm(slope, axis=-1) - 1.0) ** 2)


def policy_gradient(w: Any, x: Any, reward: Any) -> Any:
    log_p = jax.nn.log_softmax(x @ w)
    action = jnp.argmax(log_p, axis=-1)
    picked = jnp.take_along_axis(log_p, action[:, None], axis=-1)[:, 0]
    return -jnp.mean(lax.stop_gradient(reward - reward.mean()) * picked)


def quantised(p: Any, x: Any) -> Any:
    z = x @ p["encoder"]
    nearest = jnp.argmin(jnp.sum((z[:, None] - p["codes"]) ** 2, -1), -1)
    q = p["codes"][nearest]
    codes = jnp.mean((q - lax.stop_gradient(z)) ** 2)
    straight = z + lax.stop_gradient(q - z)
    return codes + jnp.mean((straight @ p["decoder"] - x) ** 2)


def rezero(p: Any, x: Any) -> Any:
    for alpha, w in zip(p["alpha"], p["w"], strict=True):
        x = x + alpha * jnp.tanh(x @ w)
    return jnp.mean((x - 0.1) ** 2)


def with_accuracy(w: Any, x: Any, y: Any) -> Any:
    logits = x @ w
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()
    return loss, jnp.mean(jnp.argmax(logits, -1) == y)


# --- stationary points ----------------------------------------------------------------------------


def square(x: Any) -> Any:
    return jnp.sum(x**2)


def perfect_fit(w: Any, x: Any) -> Any:
    return jnp.mean((x @ w - x @ jnp.ones(4)) ** 2)


def cosine(x: Any) -> Any:
    return jnp.cos(x)


def saddle(p: Any) -> Any:
    return p[0] * p[0] - p[1] * p[1]


def invariant(b: Any) -> Any:
    return jax.nn.softmax(jnp.array([0.0, 0.0]) + b).sum()


def absolute(w: Any, x: Any) -> Any:
    return jnp.mean(jnp.abs(x @ w - x @ jnp.ones(4)))


def lora(p: Any, x: Any) -> Any:
    return jnp.mean((x + x @ p["a"] @ p["b"] - 0.5) ** 2)


# --- control flow ---------------------------------------------------------------------------------


def recurrence(w: Any, xs: Any) -> Any:
    def body(h: Any, x: Any) -> Any:
        h = jnp.tanh(w @ h + x)
        return h, h

    return jnp.mean(lax.scan(body, jnp.zeros(4), xs)[1] ** 2)


def newton(a: Any) -> Any:
    return lax.while_loop(
        lambda s: jnp.abs(s[0] ** 2 - s[1]) > 1e-5,
        lambda s: (0.5 * (s[0] + s[1] / s[0]), s[1]), (a, a)
    )[0]  # fmt: skip


def branches(x: Any) -> Any:
    return lax.cond(x > 0, jnp.sqrt, lambda y: y * y, x)


@jax.jit
def compiled(w: Any, x: Any) -> Any:
    return jnp.mean(jax.checkpoint(lambda v: jnp.sin(v @ w))(x))


def long_scan(x: Any) -> Any:
    return lax.fori_loop(0, 200, lambda _, y: y + 0.01 * jnp.sin(y), x)


def eigenvalues(m: Any) -> Any:
    return jnp.sum(jnp.linalg.eigh(m + m.T)[0] ** 3)


def python_branch(x: Any) -> Any:
    return x**2 if x > 0 else -x


def with_unused(p: Any) -> Any:
    return jnp.sum(p["w"] ** 2)


def many_examples(w: Any, x: Any) -> Any:
    return jnp.mean((x @ w) ** 2)


def gaussian_nll(p: Any, x: Any) -> Any:
    scale = jnp.exp(p["log_scale"])
    return jnp.mean(0.5 * ((x - p["mean"]) / scale) ** 2 + p["log_scale"])


def contrastive(x: Any) -> Any:
    unit = x / jnp.sqrt(jnp.sum(x**2, -1, keepdims=True) + 1e-12)
    return optax.softmax_cross_entropy_with_integer_labels(unit @ unit.T * 5, jnp.arange(6)).mean()


HEALTHY = [
    Healthy("mlp", nnx_loss, (Mlp(nnx.Rngs(0)), X, LABELS)),
    Healthy("mlp with a zero head", nnx_loss, (Mlp(nnx.Rngs(0), True), X, LABELS)),
    Healthy("norms and dropout", nnx_square, (Normed(nnx.Rngs(0)), X)),
    Healthy("nnx attention", nnx_square, (Attention(nnx.Rngs(0)), X)),
    _linen("cnn", Cnn(), IMAGES),
    _linen("gru", Recurrent(), X),
    _linen("batch norm, evaluated", Normal(), X),
    _linen("residual", Residual(), X),
    _linen("lstm", Lstm(), X),
    _linen("autoencoder", Encoder(), X),
    Healthy("transformer", nnx_loss, (Language(nnx.Rngs(0)), jnp.arange(6), jnp.arange(6) + 1)),
    Healthy("batch norm, trained", trained, (
        Trained().init({"params": _KEY, "dropout": _KEY}, X), X)),
    Healthy("experts", experts, ({"gate": X[:4, :3], "experts": jnp.ones((3, 4, 4))}, X)),
    Healthy("gradient penalty", gradient_penalty, (jnp.ones((4, 2)) * 0.3, X)),
    Healthy("policy gradient", policy_gradient, (X[:3].T, X, jnp.arange(6.0))),
    Healthy("quantised", quantised, (
        {"encoder": X[:4], "codes": X[:, :4] + 1, "decoder": X[:4].T}, X)),
    Healthy("rezero", rezero, ({"alpha": jnp.zeros(3), "w": jnp.ones((3, 4, 4))}, X)),
    Healthy("accuracy beside", with_accuracy, (X[:3].T, X, LABELS)),
    Healthy("masked attention", masked_attention, (X, X + 1, X)),
    Healthy("finite mask", finite_mask, (X,)),
    Healthy("double where", double_where, (jnp.array([-1.0, 0.0, 2.0]),)),
    Healthy("double where, left out", double_where, (-1.0,)),
    Healthy("safe norm", lambda x: optax.safe_norm(x, 1e-6), (jnp.zeros(3),)),
    Healthy("entropy", stable_entropy, (jnp.array([1.0, -2.0, 90.0]),)),
    Healthy("hinge", hinge, (jnp.ones(4) * 0.1, X, jnp.sign(X[:, 0]))),
    Healthy("nansum", zeroed_nan, (jnp.array([1.0, 2.0]),)),
    Healthy("dqn", dqn, (X.T[:, :3], X.T[:, 1:4], X)),
    Healthy("straight through", straight_through, (X,)),
    Healthy("dropout", dropout, (jnp.ones(4), X, _KEY)),
    Healthy("sequence loss", sequence_loss, (jnp.ones(4), X, 3)),
    Healthy("square at 0", square, (jnp.zeros(3),)),
    Healthy("perfect fit", perfect_fit, (jnp.ones(4), X)),
    Healthy("cosine at 0", cosine, (0.0,)),
    Healthy("saddle", saddle, (jnp.zeros(2),)),
    Healthy("shift invariance", invariant, (0.5,)),
    Healthy("absolute at a fit", absolute, (jnp.ones(4), X)),
    Healthy("lora", lora, ({"a": jnp.ones((4, 2)), "b": jnp.zeros((2, 4))}, X)),
    Healthy("scan", recurrence, (jnp.eye(4) * 0.5, X)),
    Healthy("while", newton, (2.0,)),
    Healthy("cond", branches, (-2.0,)),
    Healthy("jit and checkpoint", compiled, (jnp.ones(4), X)),
    Healthy("fori", long_scan, (0.3,)),
    Healthy("eigenvalues", eigenvalues, (jnp.eye(3),)),
    Healthy("python if", python_branch, (-2.0,)),
    Healthy("unused", with_unused, ({"w": jnp.ones(3), "spare": jnp.ones(2)},)),
    Healthy("many examples", many_examples, (jnp.ones(4), jnp.ones((4000, 4)))),
    Healthy("gaussian", gaussian_nll, ({"mean": 0.0, "log_scale": -1.0}, X)),
    Healthy("contrastive", contrastive, (X,)),
    Healthy("adam's sqrt", lambda v: jnp.sum(1 / (jnp.sqrt(v) + 1e-8)), (jnp.ones(3),)),
    Healthy("huber", lambda e: jnp.sum(optax.huber_loss(e)), (jnp.array([0.0, 0.1, 5.0]),)),
    Healthy("norm", jnp.linalg.norm, (X,)),
    Healthy("sigmoid loss", lambda z: optax.sigmoid_binary_cross_entropy(z, 1.0).sum(), (X,)),
]  # fmt: skip
