"""Convolution, with strides, dilations, padding, groups and any layout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax

from .. import _jaxcompat as compat
from .._jaxcompat import primitives as p
from .._registry import general
from .._reverse import type_of
from ._cases import at_least_single, several
from .windows import spread

Pairs = Sequence[tuple[int, int]]

# Along one spatial axis, with stride s, dilations l of the image and r of the kernel, low padding q
# and a kernel of size W, the output is, for every output feature o and image n,
#     y[n, o, t] = sum_{c, i, w} x[n, c, i] k[o, c, w],    where  i l = t s + w r - q.     (*)
# The condition ties t, i and w symmetrically, so that both transposes are convolutions again
# (V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning", 2016, section 4):
#   of x:  t s = i l + (W - 1 - w) r - [(W - 1) r - q] after turning w round: the cotangent, dilated
#          by s, meets the reversed kernel with stride l; input and output features change places.
#   of k:  i l = w r + t s - q: the image, dilated by l, meets the cotangent as a kernel dilated by
#          s, with stride r; the sum runs over the images n, which take the place of the features.
# The high padding is what gives the result its size: a convolution of the size m with the stride
# u and a dilated kernel of the size v needs (m - 1) u + v entries.
#
# Groups. With feature groups, an output feature (j, o) sees the input features (j, c) only. With
# batch groups, it sees the images (j, n) only. In both, for x, the features of the cotangent are
# the groups, and the kernel's axes (j, o), c become (j, c), o; with batch groups the result comes
# with the features (j, c), of which j belongs to the images. For k, the axes c and n change places,
# so feature groups become batch groups and the reverse.


def _padding(
    low: Sequence[int], sizes: Pairs, kernels: Pairs, results: Sequence[int], strides: Sequence[int]
) -> list[tuple[int, int]]:
    """Low and high padding with which a convolution gives results of the wanted sizes."""
    axes = zip(low, sizes, kernels, results, strides, strict=True)
    return [
        (before, (result - 1) * stride + spread(*kernel) - before - spread(*size))
        for before, size, kernel, result, stride in axes
    ]


def _regroup(value: Any, source: int, target: int, groups: int) -> Any:
    """Move the groups, the outer part of one axis, to the outer part of another."""
    if groups == 1:
        return value
    shape = list(value.shape)
    shape[source : source + 1] = [groups, shape[source] // groups]
    split = lax.reshape(value, shape)
    order = [axis for axis in range(split.ndim) if axis != source]
    place = order.index(target if target < source else target + 1)
    order.insert(place, source)
    merged = list(value.shape)
    merged[source] //= groups
    merged[target] *= groups
    return lax.reshape(lax.transpose(split, order), merged)


def _sizes(value: Any, axes: Sequence[int]) -> list[int]:
    return [value.shape[axis] for axis in axes]


def _pull_image(
    ct: Any, _y: Any, _x: Any, k: Any, *, window_strides: Any, padding: Any, lhs_dilation: Any,
    rhs_dilation: Any, dimension_numbers: Any, feature_group_count: int, batch_group_count: int,
    precision: Any,
) -> Any:  # fmt: skip
    if 0 in (ct.size, k.size, _x.size):
        return compat.zeros(compat.cotangent_type(type_of(_x)))
    groups = max(feature_group_count, batch_group_count)
    image, kernel, out = dimension_numbers
    places = (kernel[1], kernel[0], *kernel[2:])
    turned = lax.rev(_regroup(k, kernel[0], kernel[1], groups), kernel[2:])
    window = list(zip(_sizes(k, kernel[2:]), rhs_dilation, strict=True))
    low = [spread(*w) - 1 - before for w, (before, _) in zip(window, padding, strict=True)]
    dilated = list(zip(_sizes(ct, out[2:]), window_strides, strict=True))
    result = lax.conv_general_dilated(
        ct, lax.convert_element_type(turned, ct.dtype), lhs_dilation,
        _padding(low, dilated, window, _sizes(_x, image[2:]), lhs_dilation),
        lhs_dilation=window_strides, rhs_dilation=rhs_dilation,
        dimension_numbers=lax.ConvDimensionNumbers(out, places, image),
        feature_group_count=groups, precision=precision,
        out_sharding=compat.explicit_sharding(type_of(_x)) if batch_group_count == 1 else None,
    )  # fmt: skip
    placed = _regroup(result, image[1], image[0], batch_group_count)
    return lax.convert_element_type(placed, _x.dtype)


def _pull_kernel(
    ct: Any, _y: Any, x: Any, _k: Any, *, window_strides: Any, padding: Any, lhs_dilation: Any,
    rhs_dilation: Any, dimension_numbers: Any, feature_group_count: int, batch_group_count: int,
    precision: Any,
) -> Any:  # fmt: skip
    if 0 in (ct.size, x.size, _k.size):
        return compat.zeros(compat.cotangent_type(type_of(_k)))
    image, kernel, out = (
        (spec[1], spec[0], *spec[2:]) for spec in dimension_numbers
    )  # features and images change places
    low = [before for before, _ in padding]
    window = list(zip(_sizes(ct, out[2:]), window_strides, strict=True))
    dilated = list(zip(_sizes(x, image[2:]), lhs_dilation, strict=True))
    result = lax.conv_general_dilated(
        lax.convert_element_type(x, ct.dtype), ct, rhs_dilation,
        _padding(low, dilated, window, _sizes(_k, kernel[2:]), rhs_dilation),
        lhs_dilation=lhs_dilation, rhs_dilation=window_strides,
        dimension_numbers=lax.ConvDimensionNumbers(image, out, kernel),
        feature_group_count=batch_group_count, batch_group_count=feature_group_count,
        precision=precision, out_sharding=compat.explicit_sharding(type_of(_k), None, type_of(ct)),
    )  # fmt: skip
    return lax.convert_element_type(result, _k.dtype)


# --- cases ----------------------------------------------------------------------------------------


def _conv(strides: Sequence[int], padding: Any, **options: Any) -> Callable[..., Any]:
    def convolve(x: Any, k: Any) -> Any:
        return lax.conv_general_dilated(x, k, strides, padding, **options)

    return convolve


def _in_single(x: Any, k: Any) -> Any:
    """Narrow factors, and a wider sum."""
    kind = at_least_single(x).dtype
    return lax.conv_general_dilated(x, k, (1,), "SAME", preferred_element_type=kind)


_DILATED = {
    "lhs_dilation": (2, 1),
    "rhs_dilation": (1, 2),
    "dimension_numbers": ("NHWC", "HWIO", "NHWC"),
}

general(
    p.conv_general_dilated_p, _pull_image, _pull_kernel,
    ignores=["preferred_element_type", "out_sharding"],
    cases=[
        several(_conv((1,), "VALID"), (2, 3, 5), (4, 3, 2)),
        several(_conv((), []), (2, 3), (4, 3), dtypes="f", note="no spatial axis"),
        several(_in_single, (2, 3, 5), (4, 3, 3), dtypes="f"),
        several(_conv((2, 1), [(1, 0), (-1, 1)], **_DILATED), (2, 3, 6, 2), (2, 2, 2, 3),
                dtypes="f"),
        several(_conv((3,), [(-1, 2)], lhs_dilation=(2,)), (1, 2, 6), (2, 2, 2), dtypes="f",
                note="a stride that leaves entries over"),
        several(_conv((1,), [(4, 5)], precision=("high", "default")), (1, 1, 3), (2, 1, 2),
                dtypes="f", note="windows of padding alone"),
        several(_conv((1, 2), "SAME", dimension_numbers=("CWNH", "OWHI", "HCWN")),
                (2, 4, 2, 3), (3, 2, 2, 2), dtypes="f"),
        several(_conv((1, 1, 2), "VALID", rhs_dilation=(1, 2, 1)), (1, 2, 2, 4, 3),
                (2, 2, 2, 2, 2), dtypes="f"),
        several(_conv((2,), "SAME", feature_group_count=2), (2, 4, 5), (6, 2, 3)),
        several(_conv((2,), [(1, 1)], lhs_dilation=(3,), batch_group_count=2), (4, 3, 3),
                (4, 3, 2), dtypes="f"),
        several(_conv((1, 1), "SAME", feature_group_count=2,
                      dimension_numbers=("HWNC", "IHWO", "CNHW")), (2, 3, 2, 4), (2, 2, 1, 4),
                dtypes="f"),
        several(_conv((1, 1), "SAME", batch_group_count=2,
                      dimension_numbers=("HNWC", "OHIW", "HCWN")), (2, 4, 3, 2), (4, 2, 2, 2),
                dtypes="f"),
        several(_conv((1,), "VALID"), (0, 3, 5), (4, 3, 2), dtypes="f", note="constant: no image"),
        several(_conv((1,), "VALID"), (2, 3, 2), (4, 3, 3), dtypes="f", note="constant: no output"),
        several(_conv((1,), "SAME"), (2, 0, 2), (4, 0, 3), dtypes="f", note="constant: no feature"),
        several(lambda x, k: lax.conv_transpose(x, k, (2,), "SAME"), (2, 4, 3), (3, 3, 2),
                dtypes="f"),
        several(jnp.convolve, (5,), (3,), dtypes="f"),
    ],
)  # fmt: skip
