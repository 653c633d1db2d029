"""Sums of products: `dot_general`, convolution, Fourier transforms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ._rule import Array, NotHereError, Params, Rule, shaped
from ._windows import counts, cuts, spread


def _dot(params: Params, x: Array, y: Array) -> Array:
    (left, right), (left_batch, right_batch) = params["dimension_numbers"]
    x, y = _preferred(params, x), _preferred(params, y)
    rows = [i for i in range(np.ndim(x)) if i not in {*left, *left_batch}]
    columns = [i for i in range(np.ndim(y)) if i not in {*right, *right_batch}]
    batch = [np.shape(x)[i] for i in left_batch]
    shape = [*batch, *(np.shape(x)[i] for i in rows), *(np.shape(y)[i] for i in columns)]
    inner = int(np.prod([np.shape(x)[i] for i in left]))
    a = np.transpose(x, [*left_batch, *rows, *left])
    b = np.transpose(y, [*right_batch, *right, *columns])
    width = int(np.prod([np.shape(y)[i] for i in columns]))
    height = int(np.prod([np.shape(x)[i] for i in rows]))
    product = np.matmul(a.reshape(*batch, height, inner), b.reshape(*batch, inner, width))
    return product.reshape(shape)


def _preferred(params: Params, x: Array) -> Array:
    dtype = params.get("preferred_element_type")
    wide = dtype is not None and np.dtype(dtype).itemsize >= np.asarray(x).dtype.itemsize
    return np.asarray(x, dtype) if wide and np.dtype(dtype).kind in "fc" else np.asarray(x)


def _convolution(params: Params, x: Array, kernel: Array) -> Array:
    """One product for each place of the kernel's window, summed."""
    groups, batches = params["feature_group_count"], params["batch_group_count"]
    numbers = params["dimension_numbers"]
    lhs = np.transpose(x, numbers.lhs_spec)  # batch, features, space
    rhs = np.transpose(kernel, numbers.rhs_spec)  # out, in, space
    if batches > 1:  # as groups of features
        n, c = lhs.shape[:2]
        split = lhs.reshape(batches, n // batches, c, *lhs.shape[2:])
        lhs = np.moveaxis(split, 0, 1).reshape(n // batches, batches * c, *lhs.shape[2:])
        groups = batches
    padding = [(0, 0), (0, 0), *params["padding"]]
    dilated = spread(lhs, 0, (1, 1, *params["lhs_dilation"]), padding)
    found = _correlate(dilated, rhs, groups, params["window_strides"], params["rhs_dilation"])
    return np.transpose(found, np.argsort(numbers.out_spec))


def _correlate(
    x: Array, kernel: Array, groups: int, strides: Sequence[int], dilation: Sequence[int]
) -> Array:
    window = kernel.shape[2:]
    sizes = counts(x.shape[2:], window, dilation, strides)
    n, out = x.shape[0], kernel.shape[0]
    lhs = x.reshape(n, groups, x.shape[1] // groups, *x.shape[2:])
    rhs = kernel.reshape(groups, out // groups, *kernel.shape[1:])
    found = np.zeros((n, groups, out // groups, *sizes), np.result_type(x, kernel))
    for place, cut in cuts(window, dilation, strides, sizes):
        found += np.einsum("ngc...,goc->ngo...", lhs[:, :, :, *cut], rhs[:, :, :, *place])
    return found.reshape(n, out, *sizes)


def _fourier(params: Params, x: Array) -> Array:
    lengths = params["fft_lengths"]
    axes = tuple(range(np.ndim(x) - len(lengths), np.ndim(x)))
    kind = getattr(params["fft_type"], "name", "").rpartition("_")[2]
    if kind not in _FOURIER:
        raise NotHereError
    return _FOURIER[kind](x, lengths, axes)


_FOURIER: dict[str, Any] = {
    "FFT": np.fft.fftn,
    "IFFT": np.fft.ifftn,
    "RFFT": np.fft.rfftn,
    "IRFFT": np.fft.irfftn,
}
RULES: Mapping[str, Rule] = {
    "dot_general": shaped(_dot),
    "conv_general_dilated": shaped(_convolution),
    "fft": shaped(_fourier),
}
