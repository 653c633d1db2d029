"""Every function of `jax.numpy` and `jax.numpy.fft` with a gradient, against `jax.grad`."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from tests.library.library_calls import (
    COMPLEX,
    COMPLEX_M,
    FLAGS,
    INTEGERS,
    LARGE,
    POSITIVE,
    SQUARE,
    UNIT,
    Call,
    M,
    N,
    X,
    Y,
    assert_complete,
    call,
    calls_of,
    compare,
    names,
    public_functions,
)

# --- elementwise ----------------------------------------------------------------------------------

UNARY = {
    name: call(X)
    for name in names(
        "abs absolute arctan atan arcsinh asinh cbrt copy cos cosh deg2rad degrees exp exp2 expm1 "
        "fabs i0 nan_to_num negative positive rad2deg radians reciprocal sin sinc sinh square tan "
        "tanh"
    )
}
ON_POSITIVE = {
    name: call(POSITIVE) for name in names("log log10 log1p log2 sqrt")
}  # fmt: skip
INSIDE = {
    name: call(UNIT) for name in names("acos arccos asin arcsin atanh arctanh")
}  # fmt: skip
OUTSIDE = {name: call(LARGE) for name in ("acosh", "arccosh")}
STAIRCASES = {
    name: call(X, zero=True) for name in names("around ceil fix floor rint round sign trunc")
}
BINARY = {
    name: call(X, Y)
    for name in names(
        "add arctan2 atan2 copysign divide fmax fmin fmod hypot logaddexp logaddexp2 maximum "
        "minimum mod multiply remainder subtract true_divide"
    )
}
POWERS = {name: call(POSITIVE, Y) for name in ("float_power", "pow", "power")}
COMPLEX_UNARY = {
    name: call(COMPLEX) for name in names("angle conj conjugate imag real sort_complex")
}  # fmt: skip
ELEMENTWISE = {
    **UNARY, **ON_POSITIVE, **INSIDE, **OUTSIDE, **STAIRCASES, **BINARY, **POWERS, **COMPLEX_UNARY,
    "angle": call(COMPLEX),
    "astype": call(X, jnp.complex64),
    "clip": (call(M, -0.5, 0.5), call(X, -LARGE, UNIT)),
    "divmod": call(X, POSITIVE),
    "floor_divide": call(X, POSITIVE, zero=True),
    "frexp": call(X),
    "heaviside": (call(X, Y, zero=True), call(0 * X, Y)),
    "ldexp": call(X, INTEGERS),
    "modf": call(X),
    "nextafter": call(X, Y, cannot="it had no rule", until="0.11"),
    "piecewise": call(X, [FLAGS, ~FLAGS], [np.sin, np.cos], adapt=lambda f: lambda x, where, _: f(
        x, list(where), [jnp.sin, lambda v: v * v])),
    "select": call([FLAGS, ~FLAGS], [X, Y]),
    "spacing": call(X, zero=True, cannot="nextafter had no rule", until="0.11"),
    "unwrap": call(np.array([0.3, 4.0, -1.0])),
    "where": call(FLAGS, X, Y),
}  # fmt: skip

# --- reductions and running ones ------------------------------------------------------------------

REDUCTIONS = {
    **{
        name: (call(M), call(M, axis=1))
        for name in names(
            "amax amin max mean min prod ptp std sum var nanmax nanmean nanmin nanprod nanstd "
            "nansum nanvar median nanmedian"
        )
    },
    **{
        name: (call(X), call(M, axis=0))
        for name in names("cumprod cumsum nancumprod nancumsum")
    },
    **{
        name: (call(M, 0.3), call(M, np.array([0.25, 0.6]), axis=1))
        for name in ("quantile", "nanquantile")
    },
    **{
        name: (call(M, 30.0), call(M, np.array([25.0, 60.0]), axis=1))
        for name in ("percentile", "nanpercentile")
    },
    "average": (call(M, axis=0, weights=np.array([0.3, 0.9])), call(X, weights=POSITIVE)),
    "corrcoef": call(M, factor=20),
    "cov": (call(M), call(M, aweights=POSITIVE)),
    "cumulative_prod": call(X, include_initial=True),
    "cumulative_sum": call(M, axis=1),
    "histogram": call(X, 3, weights=Y),
    "histogram2d": call(X, Y, 2, weights=POSITIVE),
    "histogramdd": call(M.T, 2, weights=POSITIVE),
    "bincount": call(INTEGERS, Y, length=4),
    "minmax": call(M),
    "trace": call(M, 1),
    "trapezoid": (call(Y), call(Y, LARGE), call(M, dx=0.5, axis=0)),
}  # fmt: skip

# --- shapes, choices and orders -------------------------------------------------------------------

SHAPES = {
    **{
        name: call(M)
        for name in names(
            "array asarray atleast_1d atleast_2d atleast_3d flip fliplr flipud matrix_transpose "
            "ravel rot90 transpose unstack"
        )
    },
    **{
        name: call([M, N])
        for name in names("column_stack concat concatenate dstack hstack stack vstack block")
    },
    "append": (call(X, Y), call(M, N, axis=1)),
    "array_split": call(M, 2, axis=1),
    "broadcast_arrays": call(X, M),
    "broadcast_to": call(X, (2, 3)),
    "diag": (call(X, 1), call(SQUARE, -1)),
    "diagflat": call(M),
    "diagonal": call(M, 1),
    "diff": (call(X), call(M, 2), call(M, axis=0, prepend=Y[None])),
    "dsplit": call(SQUARE[None], 3),
    "ediff1d": call(X, Y, POSITIVE),
    "expand_dims": call(M, (0, 2)),
    "hsplit": call(M, 3),
    "insert": call(X, 1, Y[:1]),
    "ix_": call(X, Y),
    "meshgrid": call(X, Y),
    "moveaxis": call(M, 0, 1),
    "pad": tuple(
        call(M, ((1, 2), (0, 1)), mode=mode)
        for mode in (
            "constant",
            "edge",
            "linear_ramp",
            "maximum",
            "mean",
            "median",
            "minimum",
            "reflect",
            "symmetric",
            "wrap",
        )
    ),
    "permute_dims": call(M, (1, 0)),
    "repeat": (call(M, 2, axis=1), call(X, INTEGERS, total_repeat_length=3)),
    "reshape": (call(M, (3, 2)), call(M, -1, order="F")),
    "resize": call(M, (3, 3)),
    "roll": (call(M, 1), call(M, (1, 2), axis=(0, 1))),
    "rollaxis": call(M, 1),
    "split": call(M, 3, axis=1),
    "squeeze": call(M[None]),
    "swapaxes": call(M, 0, 1),
    "tile": call(X, (2, 2)),
    "tril": call(SQUARE, -1),
    "triu": call(SQUARE, 1),
    "trim_zeros": call(np.array([0.0, 0.3, -0.7, 0.0]), compiled=False),
    "vander": call(X, 4),
    "vsplit": call(M, 2),
}
CHOICES = {  # where a shape depends on values, no compiled program can be made
    "choose": call(INTEGERS, [X, Y, POSITIVE], compiled=False),
    "compress": call(FLAGS, X, compiled=False),
    "delete": call(X, 1),
    "extract": call(FLAGS, X, compiled=False),
    "fill_diagonal": call(SQUARE, X, inplace=False),
    "interp": call(np.array([0.5, 1.7]), np.array([0.1, 1.2, 2.4]), Y),
    "partition": call(M, 1),
    "place": call(X, FLAGS, Y, inplace=False),
    "put": call(X, INTEGERS[:2], Y[:2], inplace=False),
    "put_along_axis": call(M, np.array([[2], [0]]), N[:, :1], 1, inplace=False),
    "sort": (call(X), call(M, axis=0)),
    "take": (call(X, INTEGERS), call(M, INTEGERS, axis=1)),
    "take_along_axis": call(M, np.array([[2], [0]]), 1),
    "top_k": call(M, 2),
    "unique": call(X, size=3),
    "unique_values": call(X, size=3),
    "unique_all": call(X, size=3),
    "unique_counts": call(X, size=3),
    "unique_inverse": call(X, size=3),
    "union1d": call(X, Y, size=6),
    "intersect1d": call(X, X, size=3),
    "setdiff1d": call(X, Y, size=3),
    "setxor1d": call(X, Y, size=6),
}

# --- products and polynomials ---------------------------------------------------------------------

PRODUCTS = {
    **{
        name: call(X, Y)
        for name in names(
            "convolve correlate cross dot inner kron outer polyadd polymul polysub vdot vecdot"
        )
    },
    "apply_along_axis": call(M, adapt=lambda f: lambda m: f(lambda row: row * row[0], 1, m)),
    "apply_over_axes": call(M, adapt=lambda f: lambda m: f(jnp.sum, m, (0, 1))),
    "einsum": call(M, N, adapt=lambda f: lambda m, n: f("ij,kj->ik", m, n)),
    "frompyfunc": call(X, Y, adapt=lambda f: f(lambda x, y: x * y, 2, 1)),
    "gradient": (call(X), call(M, 0.5, axis=1), call(X, LARGE)),
    "full": call((2, 3), np.array(1.5)),
    "full_like": call(INTEGERS, np.array(1.5), adapt=lambda f: lambda x, v: f(x, v, v.dtype)),
    "geomspace": call(POSITIVE, LARGE, 4),
    "linspace": (call(X, Y, 4), call(X, Y, 3, endpoint=False)),
    "logspace": call(X, Y, 3),
    "kaiser": call(5, np.array(1.5)),
    "matmul": (call(M, N.T), call(M, X)),
    "matvec": call(M, X),
    "poly": call(X),
    "polyder": call(SQUARE[0], 1),
    "polydiv": call(LARGE, POSITIVE[:2]),
    "polyfit": call(LARGE, Y, 1, factor=10),
    "polyint": call(X, 2, k=Y[:2]),
    "polyval": call(X, Y),
    "roots": call(np.array([1.0, -0.5, -2.0]), strip_zeros=False, factor=4),
    "tensordot": call(M, N, ((0, 1), (0, 1))),
    "vecmat": call(X, SQUARE),
    "vectorize": call(X, Y, adapt=lambda f: f(lambda x, y: x * y)),
}

# --- Fourier transforms ---------------------------------------------------------------------------

FFT = {
    **{
        f"fft.{name}": call(COMPLEX_M)
        for name in names(
            "fft fft2 fftn ifft ifft2 ifftn hfft irfft irfft2 irfftn fftshift ifftshift"
        )
    },
    **{f"fft.{name}": call(M) for name in names("ihfft rfft rfft2 rfftn")},
}

TABLE: dict[str, Any] = {
    **ELEMENTWISE, **REDUCTIONS, **SHAPES, **CHOICES, **PRODUCTS, **FFT
}  # fmt: skip

EXCLUDED = {
    "the result is not of floating numbers": (
        "all allclose any argmax argmin argpartition argsort argwhere array_equal array_equiv "
        "array_repr array_str bitwise_and bitwise_count bitwise_invert bitwise_left_shift "
        "bitwise_not bitwise_or bitwise_right_shift bitwise_xor broadcast_shapes can_cast "
        "count_nonzero digitize einsum_path equal flatnonzero gcd greater greater_equal invert "
        "isclose iscomplex iscomplexobj isdtype isfinite isin isinf isnan isneginf isposinf isreal "
        "isrealobj isscalar issubdtype iterable lcm left_shift less less_equal lexsort logical_and "
        "logical_not logical_or logical_xor nanargmax nanargmin ndim nonzero not_equal packbits "
        "promote_types ravel_multi_index result_type right_shift searchsorted shape signbit size "
        "unpackbits unravel_index"
    ),
    "the result depends on no floating argument, but on its shape or type": (
        "arange bartlett blackman diag_indices diag_indices_from empty empty_like eye from_dlpack "
        "frombuffer fromfile fromfunction fromiter fromstring hamming hanning "
        "histogram_bin_edges identity indices mask_indices ones ones_like tri tril_indices "
        "tril_indices_from triu_indices triu_indices_from zeros zeros_like fft.fftfreq "
        "fft.rfftfreq"
    ),
    "it prints, saves or loads": ("get_printoptions load printoptions save savez set_printoptions"),
}


@pytest.mark.parametrize(("function", "one"), calls_of(TABLE, jnp))
def test_our_gradient_is_that_of_jax(function: Any, one: Call) -> None:
    compare(function, one)


def test_no_function_is_left_out() -> None:
    assert_complete(TABLE, EXCLUDED, public_functions(jnp, ["fft"]))
