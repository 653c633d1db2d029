"""Right layers and losses of neural networks, and of Optax."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax

from tests.verify.corpus.cases import Case, by_vjp
from tests.verify.corpus.hazards_tools import case, key, labels, normal, tree, uniform

LAYER, LOSS = "layer", "loss"


def dense(p: Any) -> Any:
    return jnp.sum(jax.nn.gelu(p["x"] @ p["w1"] + p["b1"]) @ p["w2"])


def deep_relu(p: Any, x: Any) -> Any:
    for weight in p:
        x = jax.nn.relu(x @ weight)
    return x


def layer_norm(p: Any) -> Any:
    x = p["x"]
    centred = x - x.mean(-1, keepdims=True)
    return centred * lax.rsqrt(x.var(-1, keepdims=True) + 1e-5) * p["scale"] + p["offset"]


def attention(p: Any) -> Any:
    weights = jax.nn.softmax(p["q"] @ p["k"].T / 2)
    return weights @ p["v"]


def masked_attention(p: Any) -> Any:
    scores = p["q"] @ p["k"].T
    mask = jnp.tril(jnp.ones_like(scores, bool))
    return jax.nn.softmax(jnp.where(mask, scores, -1e9)) @ p["v"]


def convolution(x: Any, w: Any) -> Any:
    return lax.conv_general_dilated(x, w, (2, 2), "SAME", rhs_dilation=(1, 2))


def convolution_1d(x: Any, w: Any) -> Any:
    return jnp.convolve(x, w, "same") ** 2


def drop_out_layer(p: Any, seed: Any) -> Any:
    hidden = jnp.tanh(p["x"] @ p["w"])
    kept = jax.random.bernoulli(seed, 0.5, hidden.shape)
    return jnp.sum(jnp.where(kept, hidden / 0.5, 0))


def long_memory(p: Any) -> Any:
    def step(state: Any, x: Any) -> Any:
        h, c = state
        i, f, o, u = jnp.split(p["w"] @ jnp.concatenate([h, x]), 4)
        c = jax.nn.sigmoid(f + 1) * c + jax.nn.sigmoid(i) * jnp.tanh(u)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    zero = jnp.zeros(2, p["x"].dtype)
    return lax.scan(step, (zero, zero), p["x"])[0][0]


def batch_norm(x: Any) -> Any:
    return jnp.sum(jnp.sin((x - x.mean(0)) / jnp.sqrt(x.var(0) + 1e-5)))


def average_pool(x: Any) -> Any:
    return lax.reduce_window(x, 0.0, lax.add, (1, 2, 2, 1), (1, 2, 2, 1), "VALID") / 4


def cross_entropy(x: Any, i: Any) -> Any:
    picked = jnp.take_along_axis(jax.nn.log_softmax(x), i[:, None], axis=1)
    return -jnp.mean(picked)


def cross_entropy_back(args: Any, ct: Any) -> Any:
    x, i = args
    target = jax.nn.one_hot(i, x.shape[1], dtype=x.dtype)
    return ct * (jax.nn.softmax(x) - target) / x.shape[0], None


def focal(x: Any, i: Any) -> Any:
    log_p = jax.nn.log_softmax(x)[i]
    return -((1 - jnp.exp(log_p)) ** 2) * log_p


def embedding(p: Any, i: Any) -> Any:
    return jnp.sum(jnp.tanh(p[i]), axis=0)


def contrastive(x: Any, y: Any) -> Any:
    x = x / jnp.linalg.norm(x, axis=1, keepdims=True)
    y = y / jnp.linalg.norm(y, axis=1, keepdims=True)
    return jnp.mean(jax.nn.logsumexp(x @ y.T / 0.05, axis=1) - jnp.sum(x * y, axis=1) / 0.05)


def gaussian_nll(p: Any) -> Any:
    return jnp.sum(p["log_var"] + (p["x"] - p["mean"]) ** 2 * jnp.exp(-p["log_var"])) / 2


def kl_gaussians(p: Any) -> Any:
    return jnp.sum(jnp.exp(p["log_var"]) + p["mean"] ** 2 - 1 - p["log_var"]) / 2


def mixture_of_experts(p: Any) -> Any:
    gate = jax.nn.softmax(p["x"] @ p["g"])
    return jnp.einsum("be,bd,edk->bk", gate, p["x"], p["w"])


QKV = tree(q=normal(4, 4, scale=3.0), k=normal(4, 4), v=normal(4, 2))
LAYERS = (
    case("dense", LAYER, dense, tree(x=normal(4, 3), w1=normal(3, 5), b1=normal(5),
                                     w2=normal(5, 2))),
    case("deep_relu", LAYER, deep_relu,
         lambda dtype, g: [normal(6, 6)(dtype, g) for _ in range(4)], normal(2, 6)),
    case("layer_norm", LAYER, layer_norm,
         tree(x=normal(3, 6, offset=5.0), scale=normal(6), offset=normal(6))),
    case("attention", LAYER, attention, QKV),
    case("masked_attention", LAYER, masked_attention, QKV),
    case("convolution", LAYER, convolution, normal(1, 2, 6, 6), normal(3, 2, 3, 3)),
    case("convolution_1d", LAYER, convolution_1d, normal(9), normal(3)),
    case("drop_out_layer", LAYER, drop_out_layer, tree(x=normal(3, 4), w=normal(4, 4)), key()),
    case("long_memory", LAYER, long_memory, tree(w=normal(8, 5), x=normal(10, 3))),
    case("batch_norm", LAYER, batch_norm, normal(8, 3, offset=2.0)),
    case("average_pool", LAYER, average_pool, normal(1, 4, 4, 2)),
    case("embedding", LAYER, embedding, normal(6, 3), labels(6, 9)),
    case("mixture_of_experts", LAYER, mixture_of_experts,
         tree(x=normal(3, 4), g=normal(4, 2), w=normal(2, 4, 3))),
    case("glu", LAYER, jax.nn.glu, normal(3, 6)),
)  # fmt: skip

RULED = by_vjp(cross_entropy, cross_entropy_back)
LOSSES = (
    case("cross_entropy", LOSS, cross_entropy, normal(4, 5, scale=10.0), labels(5, 4)),
    case("cross_entropy_rule", LOSS, RULED, normal(4, 5, scale=10.0), labels(5, 4)),
    case("focal", LOSS, focal, normal(5), labels(5)),
    case("contrastive", LOSS, contrastive, normal(4, 3), normal(4, 3)),
    case("gaussian_nll", LOSS, gaussian_nll,
         tree(x=normal(5), mean=normal(5), log_var=normal(5, scale=3.0))),
    case("kl_gaussians", LOSS, kl_gaussians, tree(mean=normal(5), log_var=normal(5, scale=3.0))),
    case("optax_l2", LOSS, optax.l2_loss, normal(5), normal(5)),
    case("optax_huber", LOSS, optax.huber_loss, normal(5, scale=0.3), normal(5, scale=0.3)),
    case("optax_log_cosh", LOSS, optax.log_cosh, normal(5, scale=20.0), normal(5)),
    case("optax_sigmoid", LOSS, optax.sigmoid_binary_cross_entropy, normal(5, scale=10.0),
         uniform(0, 1, 5)),
    case("optax_softmax", LOSS, optax.softmax_cross_entropy_with_integer_labels,
         normal(3, 4, scale=5.0), labels(4, 3)),
    case("optax_cosine", LOSS, optax.cosine_similarity, normal(4), normal(4)),
    case("optax_kl", LOSS, lambda x, y: optax.kl_divergence(
        jax.nn.log_softmax(x), jax.nn.softmax(y)), normal(4), normal(4)),
    case("optax_hinge", LOSS, lambda x: optax.hinge_loss(x, jnp.sign(x)), uniform(0.1, 0.9, 4)),
    case("optax_smooth_labels", LOSS,
         lambda x: optax.softmax_cross_entropy(x, optax.smooth_labels(jnp.eye(3), 0.1)),
         normal(3, 3)),
    case("optax_ctc", LOSS, lambda x: optax.ctc_loss(
        x, jnp.zeros((1, 6)), jnp.array([[1, 2]]), jnp.zeros((1, 2))), normal(1, 6, 3)),
)  # fmt: skip

CASES: tuple[Case, ...] = LAYERS + LOSSES
