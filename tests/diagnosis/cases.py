"""NaN and zero-gradient cases: reports of public issue trackers, written anew as small functions.

The line at fault bears the comment `# culprit`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen, nnx
from jax import lax


class Case(NamedTuple):
    """A function with something wrong in it, and what a diagnosis must say."""

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    primitive: str
    kinds: tuple[str, ...]
    words: tuple[str, ...]  # a fitting suggestion contains them all
    inside: str = ""

    def line(self) -> int:
        """The number of the line at fault, in the file of the function."""
        return culprit_line(inspect.unwrap(self.function))


def culprit_line(function: Any) -> int:
    """The line with the mark, in the function or in the first of its helpers that has one."""
    for candidate in (function, *HELPERS.get(getattr(function, "__name__", ""), ())):
        lines, start = inspect.getsourcelines(candidate)
        for offset, line in enumerate(lines):
            if "# culprit" in line:
                return start + offset
    raise AssertionError(f"no line is marked in {function}")


# --- where ----------------------------------------------------------------------------------------


def where_log(x: Any) -> Any:  # sail-sg/jax_xc#29
    return jnp.where(x > 0.0, jnp.log(x), 0.0)  # culprit


def where_sqrt_of_squares(x: Any) -> Any:  # jax-ml/jax#347
    length = jnp.sqrt(jnp.sum(x**2, axis=1))  # culprit
    return jnp.sum(jnp.where(length > 0.5, length, 1.0))


def where_sqrt_negative(x: Any) -> Any:  # HIPS/autograd#802
    return jnp.where(x >= 0, x, jnp.sqrt(-x))  # culprit


def where_arctan2(a: Any) -> Any:  # jax-ml/jax#1052
    angle = jnp.arctan2(a, a)  # culprit
    return jnp.sum(jnp.where(a != 0, angle, 0.0))


def where_exp(dt: Any) -> Any:  # nanograv/discovery#91
    decay = jnp.exp(-dt / 10.0)  # culprit
    return jnp.sum(jnp.where(dt > 0, decay, 0.0))


def where_division(x: Any, y: Any) -> Any:  # CDCgov/DynODE#120
    ratio = x / y  # culprit
    return jnp.sum(jnp.where(y > 0, ratio, 0.0))


def sinc_by_hand(x: Any) -> Any:  # jax-ml/jax#1722
    return jnp.sum(jnp.where(x == 0, 1.0, jnp.sin(x) / x))  # culprit


@jax.jit
def pairwise_energy(position: Any, charge: Any) -> Any:  # jax-ml/jax#654
    difference = position[:, None] - position[None, :]
    distance = jnp.sqrt(jnp.sum(difference**2, axis=-1))  # culprit
    product = charge[:, None] * charge[None, :]
    other = 1 - jnp.eye(len(charge))
    return jnp.sum(jnp.where(other > 0, product / (distance + 1e-3), 0.0))


# --- roots and norms ------------------------------------------------------------------------------


def squared_norm(x: Any) -> Any:  # jax-ml/jax#4177
    return jnp.linalg.norm(x) ** 2  # culprit


def norm_of_scaled(a: Any, x: Any) -> Any:  # jax-ml/jax#26248
    return jnp.linalg.norm(a * x)  # culprit


def standard_deviation(x: Any) -> Any:  # jax-ml/jax#11716
    return jnp.std(x) + jnp.sum(x)  # culprit


def standardize(x: Any) -> Any:  # jax-ml/jax#30426
    variance = jnp.mean(x**2) - jnp.mean(x) ** 2 - 1e-4
    scale = lax.rsqrt(variance)  # culprit
    return jnp.sum(((x - jnp.mean(x)) * scale) ** 3)


def cloth_spring(points: Any) -> Any:  # jax-ml/jax#3058
    edge = points[1] - points[0]
    return (jnp.linalg.norm(edge) - 1.0) ** 2  # culprit


def rsqrt_of_zero(x: Any) -> Any:  # jax-ml/jax#39792
    unit = x * lax.rsqrt(jnp.sum(x * x))  # culprit
    return jnp.sum(unit)


# --- logarithms -----------------------------------------------------------------------------------


def entropy(logits: Any) -> Any:  # jax-ml/jax#17070
    p = jax.nn.softmax(logits)
    return -jnp.sum(p * jnp.log(p))  # culprit


def cross_entropy(w: Any, x: Any, y: Any) -> Any:  # google/flax#2246
    p = jax.nn.sigmoid(x @ w)
    return -jnp.mean(y * jnp.log(p) + (1 - y) * jnp.log(1 - p))  # culprit


def clamped_log1p(p: Any) -> Any:  # fastino-ai/GLiNER2#155
    p = jnp.minimum(p, jnp.bfloat16(1.0 - 1e-6))
    return jnp.sum(jnp.log1p(-p))  # culprit


def geometric_mean(x: Any) -> Any:  # pyro-ppl/numpyro#348
    return jnp.exp(jnp.mean(jnp.log(x)))  # culprit


# --- exponentials and low precision ---------------------------------------------------------------


def softplus_by_hand(x: Any) -> Any:  # jax-ml/jax#17117
    return jnp.sum(jnp.log(1 + jnp.exp(x)))  # culprit


def softmax_by_hand(x: Any) -> Any:  # jax-ml/jax#19490
    e = jnp.exp(x)  # culprit
    return jnp.sum((e / e.sum()) ** 2)


def half_norm(x: Any) -> Any:  # jax-ml/jax#39899
    squares = x * x  # culprit
    return jnp.sqrt(jnp.sum(squares))


def half_sum(x: Any) -> Any:  # jax-ml/jax#40409
    return (x.astype(jnp.float32) * 1e6).astype(jnp.float16).sum()  # culprit


# --- division and powers --------------------------------------------------------------------------


def masked_mean(x: Any, mask: Any) -> Any:  # jax-ml/jax#26328
    return jnp.sum(x * mask) / jnp.sum(mask)  # culprit


def polynomial(x: Any) -> Any:  # jax-ml/jax#14397
    return jnp.sum(jnp.abs(x) ** jnp.array([0.5, 1.0, 2.0]))  # culprit


def fractional_part_power(x: Any) -> Any:  # jax-ml/jax#12409
    return jnp.power(x - jnp.floor(x), 0.5)  # culprit


def exponent_of_negative(base: Any, exponent: Any) -> Any:  # awslabs/raf#47
    return base**exponent  # culprit


def normalized_update(g: Any) -> Any:  # google-deepmind/optax#1743
    size = jnp.sum(jnp.abs(g))
    return jnp.sum(g / size)  # culprit


# --- inverse functions and matrices ---------------------------------------------------------------


def angle_between(p: Any, q: Any) -> Any:  # jax-ml/jax#15798
    cosine = jnp.vdot(p, q)
    return jnp.arccos(cosine)  # culprit


def degenerate_eigh(m: Any) -> Any:  # jax-ml/jax#4646
    _, vectors = jnp.linalg.eigh(m)  # culprit
    return vectors[0, 2] + vectors[1, 1]


def degenerate_svd(m: Any) -> Any:  # jax-ml/jax#8732
    u, _, _ = jnp.linalg.svd(m)  # culprit
    return u[0, 0] + 2 * u[0, 1]


def indefinite_cholesky(a: Any) -> Any:  # sethaxen/CAGPJax#5
    return jnp.sum(jnp.log(jnp.diag(jnp.linalg.cholesky(a))))  # culprit


# --- loops ----------------------------------------------------------------------------------------


def scan_of_roots(x: Any) -> Any:  # jax-ml/jax#5696
    def body(carry: Any, t: Any) -> Any:
        carry = carry - t
        return carry, jnp.sqrt(carry)  # culprit

    return lax.scan(body, x, jnp.ones(4))[1].sum()


def scan_of_norms(start: Any) -> Any:  # jax-ml/jax#5698
    def body(position: Any, force: Any) -> Any:
        position = position + force
        return position, jnp.linalg.norm(position)  # culprit

    return jnp.sum(lax.scan(body, start, jnp.array([[1.0, 0.0], [-1.0, 0.0], [2.0, 1.0]]))[1])


def newton_while(x: Any) -> Any:  # patrick-kidger/diffrax#280
    def body(state: Any) -> Any:
        i, y = state
        return i + 1, y / (y - 2.0)  # culprit

    return lax.while_loop(lambda state: state[0] < 4, body, (0, x))[1]


def pendulum_fori(x: Any) -> Any:  # google/brax#412
    def body(i: Any, y: Any) -> Any:
        return y * jnp.exp(y) / (1 + i)  # culprit

    return lax.fori_loop(0, 6, body, x)


# --- masks ----------------------------------------------------------------------------------------


def masked_row(logits: Any, mask: Any) -> Any:  # tensorflow/tensorflow#11756
    masked = jnp.where(mask, logits, -jnp.inf)
    shifted = masked - masked.max(axis=-1, keepdims=True)  # culprit
    weights = jnp.exp(shifted)
    return jnp.sum((weights / weights.sum(-1, keepdims=True)) ** 2)


def nan_data(w: Any, x: Any) -> Any:  # jax-ml/jax#17891
    return jnp.mean((x @ w) ** 2)  # culprit


# --- flax -----------------------------------------------------------------------------------------


class Scorer(nnx.Module):  # type: ignore[misc]  # flax is not followed
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.dense = nnx.Linear(3, 4, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        h = nnx.relu(self.dense(x))
        return h / jnp.linalg.norm(h, axis=-1, keepdims=True)  # culprit


def unit_features(model: Any, x: Any) -> Any:  # google/flax#4087
    return jnp.sum(model(x) ** 2)


class Density(linen.Module):  # type: ignore[misc]  # flax is not followed
    @linen.compact  # type: ignore[untyped-decorator]  # flax is not followed
    def __call__(self, x: Any) -> Any:
        sigma = linen.relu(linen.Dense(2)(x))
        return jnp.mean(jnp.log(sigma))  # culprit


def density(params: Any, x: Any) -> Any:  # patrick-kidger/equinox#523
    return Density().apply({"params": params}, x)


HELPERS: dict[str, tuple[Any, ...]] = {
    "unit_features": (Scorer,),
    "density": (Density,),
    "accuracy": (),
}


# --- zero and missing -----------------------------------------------------------------------------


def accuracy(w: Any, x: Any, y: Any) -> Any:  # google-deepmind/dm-haiku#442
    guess = jnp.argmax(x @ w, axis=-1)  # culprit
    return jnp.mean((guess == y).astype(jnp.float32))


def rounded(x: Any) -> Any:  # apache/mxnet#9040
    return jnp.sum((jnp.round(x) - 0.3) ** 2)  # culprit


def integer_position(x: Any) -> Any:  # lenstronomy/JAXtronomy#66
    table = jnp.arange(10.0) ** 2
    return table[x.astype(jnp.int32)].sum()  # culprit


def sampled(logits: Any, key: Any) -> Any:  # jax-ml/jax#17555
    choice = jax.random.categorical(key, logits)  # culprit
    return jnp.array([1.0, 5.0, 2.0])[choice]


def stopped(w: Any, x: Any) -> Any:  # sayakpaul/Adaptive-Gradient-Clipping#2
    h = lax.stop_gradient(jnp.tanh(x @ w))  # culprit
    return jnp.sum(h**2 * x[:, :1])


def threshold(t: Any, x: Any) -> Any:  # pytorch/pytorch#1339
    return jnp.mean(jnp.where(x > t, 1.0, 0.0) * x)  # culprit


def dead_relu(w: Any, x: Any) -> Any:  # keras-team/keras#11157
    return jnp.mean(jax.nn.relu(x @ w - 50.0) ** 2)  # culprit


def clipped(x: Any) -> Any:  # openai/baselines#142
    return jnp.sum(jnp.clip(x, -1.0, 1.0) * jnp.arange(3.0))  # culprit


def saturated(w: Any, x: Any) -> Any:  # tensorflow/tensorflow#15278
    return jnp.mean((jnp.tanh(x @ w * 1e3) - 0.5) ** 2)  # culprit


# --- layers ---------------------------------------------------------------------------------------


def deep_sigmoid(params: Any, x: Any) -> Any:  # GaloisInc/dlkoopman#2
    for w in params:
        x = jax.nn.sigmoid(x @ w)  # culprit
    return jnp.mean(x**2)


def recurrent(w: Any, xs: Any) -> Any:  # elixir-nx/nx#1747
    def body(h: Any, x: Any) -> Any:
        return h @ w + x, None  # culprit

    return jnp.sum(lax.scan(body, xs[0], xs)[0])


_KEY = jax.random.key(0)


def _weights(count: int) -> list[Any]:
    return [jax.random.normal(key, (4, 4)) * 0.3 for key in jax.random.split(_KEY, count)]


def _scorer() -> Any:
    model = Scorer(nnx.Rngs(0))
    model.dense.bias[...] = jnp.full(4, -9.0)
    return model


def _density() -> Any:
    params = Density().init(_KEY, jnp.ones((2, 3)))["params"]
    return jax.tree.map(lambda leaf: leaf - 9.0, params)


WHERE = ("where", "double where", "strong_zeros")
X3 = jnp.array([-0.5, 0.3, 1.4])
TALL = jax.random.normal(_KEY, (5, 3))

NANS = [
    Case("where log", where_log, (0.0,), "log", ("nan",), WHERE),
    Case("where sqrt", where_sqrt_of_squares, (jnp.array([[1.0, 2.0], [0.0, 0.0]]),), "sqrt",
         ("nan", "inf"), WHERE),
    Case("where sqrt -x", where_sqrt_negative, (1.0,), "sqrt", ("nan",), WHERE),
    Case("where arctan2", where_arctan2, (jnp.array([3.0, 0.0, -5.0]),), "atan2", ("nan",), WHERE),
    Case("where exp", where_exp, (jnp.array([-4115.0, 2.0]),), "exp", ("nan",), WHERE),
    Case("where div", where_division, (jnp.ones(2), jnp.array([0.0, 1.0])), "div", ("nan",), WHERE),
    Case("sinc", sinc_by_hand, (jnp.array([0.0, 1.0]),), "div", ("nan",), WHERE),
    Case("pairs", pairwise_energy, (TALL, jnp.ones(5)), "sqrt", ("nan", "inf"), WHERE),
    Case("squared norm", squared_norm, (jnp.zeros(2),), "sqrt", ("nan",), ("norm", "safe_norm")),
    Case("norm a x", norm_of_scaled, (1.3, jnp.zeros(2)), "sqrt", ("inf",), ("norm",)),
    Case("std", standard_deviation, (jnp.ones(2),), "sqrt", ("inf", "nan"), ("deviation", "eps")),
    Case("standardize", standardize, (jnp.full(3, -11.0),), "rsqrt", ("nan",), ("negative",)),
    Case("spring", cloth_spring, (jnp.zeros((2, 3)),), "sqrt", ("inf",), ("norm",)),
    Case("rsqrt", rsqrt_of_zero, (jnp.zeros(3),), "rsqrt", ("inf", "nan"), ("zero", "eps")),
    Case("entropy", entropy, (jnp.array([0.0, 200.0]),), "log", ("nan", "inf"),
         ("log of 0", "xlogy")),
    Case("cross entropy", cross_entropy, (jnp.full(3, 90.0), jnp.ones((2, 3)), jnp.ones(2)), "log",
         ("nan", "inf"), ("log of 0", "logits")),
    Case("log1p bf16", clamped_log1p, (jnp.ones(2, jnp.bfloat16),), "log1p", ("inf",), ("log of",)),
    Case("geometric mean", geometric_mean, (jnp.array([0.0, 2.0]),), "log", ("nan", "inf"),
         ("log of 0",)),
    Case("softplus", softplus_by_hand, (jnp.array([1.0, 100.0]),), "exp", ("inf",),
         ("overflow", "softplus")),
    Case("softmax", softmax_by_hand, (jnp.array([1.0, 100.0]),), "exp", ("inf", "nan"),
         ("overflow", "softmax")),
    Case("half norm", half_norm, (jnp.full(3, 300.0, jnp.float16),), "mul", ("inf",),
         ("overflow", "float16")),
    Case("half cast", half_sum, (jnp.ones(3, jnp.float16),), "convert_element_type", ("inf",),
         ("overflow", "float16")),
    Case("masked mean", masked_mean, (jnp.ones(3), jnp.zeros(3)), "div", ("nan",),
         ("division by zero", "mask")),
    Case("power 0.5", polynomial, (0.0,), "pow", ("inf", "nan"), ("power at 0",)),
    Case("power of a fraction", fractional_part_power, (2.0,), "pow", ("inf",), ("0",)),
    Case("negative base", exponent_of_negative, (-2.0, 3.0), "pow", ("nan",), ("negative base",)),
    Case("normalised", normalized_update, (jnp.zeros(3),), "div", ("nan",), ("division by zero",)),
    Case("arccos", angle_between, (jnp.array([1.0, 0.0]),) * 2, "acos", ("inf", "nan"), ("clip",)),
    Case("eigh", degenerate_eigh, (jnp.diag(jnp.array([4.0, 1.0, 1.0])),), "eigh", ("nan", "inf"),
         ("equal eigenvalues",)),
    Case("svd", degenerate_svd, (jnp.eye(2),), "svd", ("nan", "inf"), ("equal",)),
    Case("cholesky", indefinite_cholesky, (jnp.diag(jnp.array([1.0, -1.0])),), "cholesky", ("nan",),
         ("positive definite", "jitter")),
    Case("scan sqrt", scan_of_roots, (2.0,), "sqrt", ("nan",), ("sqrt",), "iteration 3 of 4"),
    Case("scan norm", scan_of_norms, (jnp.zeros(2),), "sqrt", ("inf",), ("norm",),
         "iteration 2 of 3"),
    Case("while", newton_while, (4.0,), "div", ("inf",), ("division by zero",), "iteration 2 of 4"),
    Case("fori", pendulum_fori, (3.0,), "exp", ("inf",), ("overflow",), "iteration 3 of 6"),
    Case("masked row", masked_row, (jnp.ones((2, 3)), jnp.array([[1, 1, 0], [0, 0, 0]]) > 0), "sub",
         ("nan",), ("masked", "-inf")),
    Case("nan data", nan_data, (jnp.ones(3), TALL.at[1, 1].set(jnp.nan)), "dot_general", ("input",),
         ("input", "x")),
    Case("nnx", unit_features, (_scorer(), jnp.ones((2, 3))), "div", ("nan",),
         ("division by zero",)),
    Case("linen", density, (_density(), jnp.ones((2, 3))), "log", ("inf", "nan"), ("log of 0",)),
]  # fmt: skip

ZEROS = [
    Case("argmax", accuracy, (jnp.ones((3, 2)), TALL, jnp.zeros(5, int)), "argmax", ("missing",),
         ("argmax", "softmax")),
    Case("round", rounded, (X3,), "round", ("missing",), ("straight-through",)),
    Case("astype int", integer_position, (jnp.array([1.5, 2.5]),), "convert_element_type",
         ("missing",), ("cast", "integer")),
    Case("categorical", sampled, (X3, _KEY), "argmax", ("missing",), ("Gumbel",)),
    Case("stop_gradient", stopped, (jnp.ones((3, 2)), TALL), "stop_gradient", ("missing",),
         ("stop_gradient",)),
    Case("threshold", threshold, (0.2, X3), "gt", ("missing",), ("comparison",)),
    Case("dead relu", dead_relu, (jnp.ones((3, 2)), TALL), "max", ("zero",), ("relu",)),
    Case("clip", clipped, (jnp.array([3.0, 4.0, 5.0]),), "min", ("zero",), ("clip",)),
    Case("tanh", saturated, (jnp.ones((3, 2)) * 9, TALL + 5), "tanh", ("zero",), ("saturated",)),
    Case("deep sigmoid", deep_sigmoid, (_weights(24), TALL[:, :1] * jnp.ones(4)), "logistic",
         ("vanishing",), ("vanish", "residual")),
    Case("recurrent", recurrent, (jnp.eye(3) * 3.0, jnp.ones((20, 3))), "dot_general",
         ("exploding",), ("clip",)),
]  # fmt: skip

CASES = [*NANS, *ZEROS]
