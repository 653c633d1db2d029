"""Sums, extremes, orders, cumulated and windowed ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ._rule import Array, NotHereError, Params, Rule, shaped
from ._windows import counts, cuts, spread


def _reduced(function: Callable[..., Any]) -> Rule:
    return shaped(lambda params, x: function(x, axis=tuple(params["axes"])))


def _place(function: Callable[..., Any]) -> Rule:
    return shaped(lambda params, x: function(x, axis=params["axes"][0]))


def _cumulated(function: Callable[..., Any]) -> Rule:
    def run(params: Params, x: Array) -> Array:
        axis = params["axis"]
        if not params["reverse"]:
            return function(x, axis=axis)
        return np.flip(function(np.flip(x, axis), axis=axis), axis)

    return shaped(run)


def _sort(params: Params, *operands: Array) -> list[Array]:
    """By the first operands, the first of all above all, in the order of equal ones."""
    axis = params["dimension"]
    order = np.lexsort(tuple(reversed(operands[: params["num_keys"]])), axis=axis)
    return [np.take_along_axis(np.asarray(o), order, axis) for o in operands]


def _top(params: Params, x: Array) -> list[Array]:
    axis, k = params.get("axis", -1) % np.ndim(x), params["k"]
    kept = tuple(slice(k) if i == axis else slice(None) for i in range(np.ndim(x)))
    order = np.argsort(-np.asarray(x), axis=axis, kind="stable")[kept]
    return [np.take_along_axis(np.asarray(x), order, axis), order]


def _limit(dtype: Any, sign: int) -> Any:
    if np.dtype(dtype).kind in "iu":
        limits = np.iinfo(dtype)
        return limits.max if sign > 0 else limits.min
    return sign * np.inf


def _windowed(join: Callable[..., Any], neutral: Callable[[Any], Any]) -> Rule:
    def run(params: Params, x: Array) -> Array:
        start = neutral(np.asarray(x).dtype)
        window, strides = params["window_dimensions"], params["window_strides"]
        padded = spread(x, start, params["base_dilation"], params["padding"])
        dilation = params["window_dilation"]
        sizes = counts(padded.shape, window, dilation, strides)
        found = np.full(sizes, start, padded.dtype)
        for _, cut in cuts(window, dilation, strides, sizes):
            found = join(found, padded[cut])
        return found

    return shaped(run)


def _select_and_gather(params: Params, values: Array, keys: Array) -> Array:
    """The entry of `values` where `keys` is largest or smallest in each window."""
    name = getattr(params["select_prim"], "name", "")
    if name not in ("ge", "le") or any(d != 1 for d in params["base_dilation"]):
        raise NotHereError
    window, strides = params["window_dimensions"], params["window_strides"]
    dilation = params["window_dilation"]
    worst = _limit(np.asarray(keys).dtype, -1 if name == "ge" else 1)
    padded = spread(keys, worst, params["base_dilation"], params["padding"])
    carried = spread(values, 0, params["base_dilation"], params["padding"])
    sizes = counts(padded.shape, window, dilation, strides)
    seen = [cut for _, cut in cuts(window, dilation, strides, sizes)]
    stacked, taken = np.stack([padded[c] for c in seen]), np.stack([carried[c] for c in seen])
    best = (np.argmax if name == "ge" else np.argmin)(stacked, axis=0)
    return np.take_along_axis(taken, best[None], 0)[0]


RULES: Mapping[str, Rule] = {
    "reduce_sum": _reduced(np.sum),
    "reduce_prod": _reduced(np.prod),
    "reduce_max": _reduced(np.max),
    "reduce_min": _reduced(np.min),
    "reduce_and": _reduced(np.bitwise_and.reduce),
    "reduce_or": _reduced(np.bitwise_or.reduce),
    "reduce_xor": _reduced(np.bitwise_xor.reduce),
    "argmax": _place(np.argmax),
    "argmin": _place(np.argmin),
    "cumsum": _cumulated(np.cumsum),
    "cumprod": _cumulated(np.cumprod),
    "cummax": _cumulated(np.maximum.accumulate),
    "cummin": _cumulated(np.minimum.accumulate),
    "cumlogsumexp": _cumulated(np.logaddexp.accumulate),
    "sort": shaped(_sort),
    "top_k": shaped(_top),
    "reduce_window_sum": _windowed(np.add, lambda _dtype: 0),
    "reduce_window_max": _windowed(np.maximum, lambda dtype: _limit(dtype, -1)),
    "reduce_window_min": _windowed(np.minimum, lambda dtype: _limit(dtype, 1)),
    "select_and_gather_add": shaped(_select_and_gather),
}
