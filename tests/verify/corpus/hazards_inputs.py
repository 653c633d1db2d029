"""Right functions with uncommon inputs and outputs, mixed precision, sorting and indexing."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tests.verify.corpus.cases import Case, by_vjp
from tests.verify.corpus.hazards_tools import (
    case,
    complex_normal,
    exactly,
    fixed,
    key,
    labels,
    normal,
    signed,
    tree,
    uniform,
)

INPUT, COMPLEX, PRECISION = "uncommon input", "complex", "mixed precision"
RANDOM, INDEX, ORDER = "random numbers inside", "indexing", "order statistics"


class Line(NamedTuple):
    """A line."""

    slope: Any
    offset: Any


def line(dtype: np.dtype[Any], g: np.random.Generator) -> Line:
    return Line(normal(3)(dtype, g), normal()(dtype, g))


def listed(dtype: np.dtype[Any], g: np.random.Generator) -> list[Any]:
    return [normal(2)(dtype, g), (normal(2)(dtype, g), None)]


def empty(dtype: np.dtype[Any], _g: np.random.Generator) -> Any:
    return jnp.zeros((0, 3), dtype)


def masked_mean(x: Any, mask: Any) -> Any:
    return jnp.sum(jnp.where(mask, x, 0)) / jnp.sum(mask)


def drop_out(x: Any, seed: Any) -> Any:
    return jnp.where(jax.random.bernoulli(seed, 0.7, x.shape), x / 0.7, 0) ** 2


def reparametrized(p: Any, seed: Any) -> Any:
    noise = jax.random.normal(seed, (50,), p["mean"].dtype)
    return jnp.mean((p["mean"] + jnp.exp(p["log_scale"]) * noise) ** 2)


def gumbel_soft(x: Any, seed: Any) -> Any:
    return jax.nn.softmax((x + jax.random.gumbel(seed, x.shape, x.dtype)) / 0.5)


def gamma_draws(a: Any, seed: Any) -> Any:
    return jnp.mean(jnp.exp(a) * jax.random.exponential(seed, (20,), a.dtype))


def energy(x: Any) -> Any:
    return jnp.sum(jnp.abs(jnp.fft.rfft(x)) ** 2)


def complex_polynomial(z: Any) -> Any:
    return z**3 - 2j * z + 1


def phase(z: Any) -> Any:
    return jnp.angle(z * z)


def conjugate_back(args: Any, ct: Any) -> Any:
    return (2 * ct * jnp.conj(args[0]),)


def squared_size(z: Any) -> Any:
    return jnp.real(z * jnp.conj(z))


def duplicates(x: Any) -> Any:
    return jnp.zeros(3, x.dtype).at[jnp.array([0, 0, 1, 2, 0])].add(x**2)


def segments(x: Any, i: Any) -> Any:
    return jax.ops.segment_sum(x**3, i, 4)


def last_written(x: Any) -> Any:
    return jnp.zeros(4, x.dtype).at[jnp.array([3, 1])].set(jnp.sin(x[:2])) * x


def table(x: Any) -> Any:
    return jnp.interp(x, jnp.array([0.0, 1.0, 2.5, 4.0]), jnp.array([1.0, -1.0, 0.5, 3.0]))


def sliced(x: Any, i: Any) -> Any:
    return lax.dynamic_slice(x, (i,), (3,)) ** 2


def ranked(x: Any) -> Any:
    return jnp.sum(x * jnp.argsort(jnp.argsort(x)))


def squared_pairs(x: Any) -> Any:
    order = jnp.argsort(x)
    return jnp.sum(x[order][1:] * x[order][:-1])


def unused(x: Any, _y: Any) -> Any:
    return jnp.sin(x)


INPUTS = (
    case("integer_power", INPUT, lambda x, n: x**n, normal(4), fixed(jnp.int32(3))),
    case("labels", INPUT, lambda x, i: -jax.nn.log_softmax(x)[i], normal(5), labels(5)),
    case("boolean_mask", INPUT, masked_mean, normal(4), fixed(np.array([True, False, True, True]))),
    case("python_number", INPUT, lambda x, c: c * jnp.exp(x), normal(3), fixed(3)),
    case("unused", INPUT, unused, normal(3), normal(4)),
    case("unused_leaf", INPUT, lambda p: jnp.sum(p["a"] ** 2), tree(a=normal(3), b=normal(2))),
    case("empty", INPUT, lambda x, e: jnp.sum(x**2) + jnp.sum(e**2), normal(3), empty),
    case("scalar", INPUT, jnp.sin, normal()),
    case("named_tuple", INPUT, lambda p: jnp.sum(jnp.tanh(p.slope * 2 + p.offset)), line),
    case("list_with_none", INPUT, lambda p: p[0] * p[1][0], listed),
    case("tree_output", INPUT, lambda x: {"a": x**2, "b": (jnp.sum(x),)}, normal(3)),
    case("constant", INPUT, lambda x: jnp.ones(3, x.dtype) * jnp.sum(x * 0), normal(3)),
    case("integer_output", INPUT, lambda x: (x**2, jnp.argmax(x)), normal(4)),
    case("identity", INPUT, lambda x: x, signed(1e-8, 1e8, 6)),
    case("linear", INPUT, lambda x: jnp.flip(x)[:, None] - x, normal(5)),
    case("five_axes", INPUT, lambda x: jnp.sum(x**2, axis=(1, 3)), normal(2, 1, 2, 3, 2)),
    case("float_as_label", INPUT, lambda x: x * (jnp.arange(4) == 2), normal(4)),
    case("statistics_stopped", INPUT, lambda x: x * lax.stop_gradient(1.0 + 0 * jnp.max(x)),
         normal(5)),
)  # fmt: skip

STOCHASTIC = (
    case("drop_out", RANDOM, drop_out, normal(12), key()),
    case("reparametrized", RANDOM, reparametrized, tree(mean=normal(), log_scale=normal()), key()),
    case("gumbel_soft", RANDOM, gumbel_soft, normal(5), key()),
    case("exponential_draws", RANDOM, gamma_draws, normal(), key()),
    case("permuted", RANDOM, lambda x, k: jax.random.permutation(k, x) * x, normal(6), key()),
    case("key_inside", RANDOM, lambda x: x * jax.random.normal(jax.random.key(3), (4,), x.dtype),
         normal(4)),
    case("sampled_index", RANDOM, lambda x, k: x[jax.random.randint(k, (), 0, 5)] ** 2,
         normal(5), key()),
)  # fmt: skip

ANALYTIC = (
    case("spectrum_energy", COMPLEX, energy, normal(16)),
    case("spectrum_parts", COMPLEX, lambda x: jnp.fft.rfft(x).imag, normal(9)),
    case("inverse_transform", COMPLEX, lambda x: jnp.fft.irfft(jnp.fft.rfft(x) * 2), normal(8)),
    case("complex_polynomial", COMPLEX, complex_polynomial, complex_normal(3)),
    case("complex_exp", COMPLEX, jnp.exp, complex_normal(3)),
    case("complex_abs", COMPLEX, lambda z: jnp.sum(jnp.abs(z)), complex_normal(4)),
    case("complex_phase", COMPLEX, phase, complex_normal(3)),
    case("complex_conjugate", COMPLEX, lambda z: jnp.conj(z) * z[0], complex_normal(3)),
    case("complex_rule", COMPLEX, by_vjp(squared_size, conjugate_back), complex_normal(4)),
    case("complex_real_part", COMPLEX, lambda z: jnp.real(z) ** 2 * jnp.imag(z), complex_normal(4)),
    case("complex_product", COMPLEX, lambda z, w: z @ w, complex_normal(2, 3), complex_normal(3)),
    case("complex_from_real", COMPLEX, lambda x, y: jnp.exp(1j * x) * y, normal(3), normal(3)),
    case("complex_transform", COMPLEX, jnp.fft.fft, complex_normal(6)),
)

CASTS = (
    case("halves_declared", PRECISION, lambda x: jnp.tanh(x.astype("float32")).astype(x.dtype),
         normal(5), dtypes=("float32", "bfloat16", "float16")),
    case("half_sum_in_float", PRECISION, lambda x: jnp.sum(x, dtype="float32"), normal(50),
         dtypes=("float32", "bfloat16", "float16")),
    case("to_integer_and_back", PRECISION, lambda x: x - x.astype("int32").astype(x.dtype),
         exactly(0.25, 1.75, -2.5)),
)  # fmt: skip

INDEXING = (
    case("duplicates_added", INDEX, duplicates, normal(5)),
    case("gathered_twice", INDEX, lambda x: x[jnp.array([0, 0, 2, 0])] ** 2, normal(3)),
    case("segment_sum", INDEX, segments, normal(10), labels(4, 10)),
    case("scatter_set", INDEX, last_written, normal(4)),
    case("dynamic_slice", INDEX, sliced, normal(8), labels(5)),
    case("interpolated", INDEX, table, exactly(0.3, 1.2, 2.4, 3.9)),
    case("interpolated_near_knot", INDEX, table, exactly(1.0005, 0.9996, 2.5003)),
    case("interpolated_on_knot", INDEX, table, exactly(1.0, 2.5, 0.5), smooth=False),
    case("rolled", INDEX, lambda x: jnp.roll(x, 2) * x, normal(6)),
    case("padded", INDEX, lambda x: jnp.pad(x, 2, mode="reflect") ** 2, normal(5)),
    case("one_hot", INDEX, lambda x, i: jax.nn.one_hot(i, 4, dtype=x.dtype) @ x, normal(4, 3),
         labels(4, 6)),
    case("out_of_bounds_filled", INDEX,
         lambda x: x.at[jnp.array([0, 7])].get(mode="fill", fill_value=0) * 2, normal(3)),
    case("sorted_cubes", ORDER, lambda x: jnp.sort(x) ** 3, normal(9)),
    case("ranks_as_weights", ORDER, ranked, exactly(1.0, 3.0, 2.0, -1.0)),
    case("sorted_pairs", ORDER, squared_pairs, exactly(1.0, 3.0, 2.0, -1.0)),
    case("quartiles", ORDER, lambda x: jnp.percentile(x, jnp.array([25, 75])), uniform(0, 9, 7)),
    case("trimmed_mean", ORDER, lambda x: jnp.mean(jnp.sort(x)[2:-2]), normal(11)),
    case("running_maximum", ORDER, lambda x: lax.cummax(x) * x, exactly(1.0, 3.0, 2.0, 5.0, 4.0)),
    case("log_cumulative", ORDER, lax.cumlogsumexp, normal(8, scale=5.0)),
    case("argmax_taken", ORDER, lambda x: x[jnp.argmax(x)] ** 2, exactly(1.0, 3.0, 2.0)),
)  # fmt: skip

CASES: tuple[Case, ...] = INPUTS + STOCHASTIC + ANALYTIC + CASTS + INDEXING
