"""Suggestions for gradients that are zero or missing."""

from __future__ import annotations

from ._events import Event

SATURATING = frozenset({
    "tanh", "logistic", "erf", "erfc", "exp", "exp2", "expm1", "atan", "erf_inv",
})  # fmt: skip
# Findings also for arguments beyond the first: nobody writes these on purpose.
ALWAYS = frozenset({"cast", "staircase", "index", "saturated", "low", "underflow", "too small"})

_CUTS = {
    "stop_gradient": "stop", "argmax": "index", "argmin": "index", "argsort": "index",
    "top_k": "index", "sort": "index", "convert_element_type": "cast",
    "bitcast_convert_type": "cast", "floor": "staircase", "ceil": "staircase",
    "round": "staircase", "sign": "staircase", "gt": "comparison", "lt": "comparison",
    "ge": "comparison", "le": "comparison", "eq": "comparison", "ne": "comparison",
    "is_finite": "comparison", "eq_to": "comparison", "lt_to": "comparison",
    "le_to": "comparison",
}  # fmt: skip

_TEXTS = {
    "stop": (
        "`stop_gradient` (or detach) cuts the only path from this input: remove it, or apply it to "
        "the other operand; for a straight-through estimator write "
        "`x + jax.lax.stop_gradient(f(x) - x)`"
    ),
    "index": (
        "`{0}` returns a position, which does not change with small changes of its operand, so the "
        "gradient is zero: use a soft version (`jax.nn.softmax` weights, `logsumexp` for max), a "
        "Gumbel-softmax, or a straight-through estimator"
    ),
    "cast": (
        "the cast to an integer (`astype(int)`) has no gradient: keep the value floating, use a "
        "smooth interpolation between the neighbours, or a straight-through estimator "
        "`x + jax.lax.stop_gradient(x.astype(int) - x)`"
    ),
    "staircase": (
        "`{0}` is piecewise constant, so its gradient is zero: use a smooth surrogate, or a "
        "straight-through estimator `x + jax.lax.stop_gradient(jnp.{0}(x) - x)`"
    ),
    "comparison": (
        "a comparison (`{0}`) gives True or False, which carry no gradient: use a smooth step such "
        "as `jax.nn.sigmoid(k * (x - t))`, or a loss on the scores themselves instead of an "
        "accuracy or a count"
    ),
    "none": (
        "`{0}` has no derivative, so nothing flows back through it: use a smooth surrogate or a "
        "straight-through estimator"
    ),
    "saturated": (
        "`{0}` is saturated: its operand is so large (or so far below 0) that the slope is exactly "
        "0. Scale or "
        "normalise the operand (smaller initial weights, LayerNorm), or use the loss on logits "
        "instead of probabilities"
    ),
    "factor": (
        "everything that is multiplied by this result gets a zero gradient, since `{0}` returns "
        "only zeros here: a dead relu, an empty mask, or a clipped or rounded value. {1}"
    ),
    "constant": (
        "the gradient is multiplied by a constant that is zero throughout: look at the mask or the "
        "scale"
    ),
    "both zero": (
        "both factors of this product are zero and neither can start to move: initialise one of "
        "them at random"
    ),
    "low": (
        "`{0}` underflows: its operand is so far below 0 that the value and the slope are exactly "
        "0. Work with logarithms (`jax.nn.log_softmax`, `jax.nn.logsumexp`), scale or "
        "shift the operand, or compute this part in a wider dtype"
    ),
    "too small": (
        "the gradient underflows to exactly 0: it is smaller than the smallest number of its "
        "dtype. Scale the loss up (and the gradient down afterwards, in a wider dtype), rescale "
        "the tiny factor, or compute this part in a wider dtype (float32 rather than float16)"
    ),
    "underflow": (
        "the gradient vanishes on its way and underflows to exactly 0: use residual connections, "
        "normalisation, relu instead of saturating functions, or gates over long sequences"
    ),
}

_FLAT = {
    "max": (
        "the operand loses against the other one at every entry (a dead relu, or a clip from below "
        "outside its limits): use `jax.nn.leaky_relu`, `softplus`, `elu` or `gelu`, a smaller "
        "learning rate, biases that start above 0, or a loss outside the clip"
    ),
    "min": (
        "the operand is above the limit at every entry, so that `{0}` (a clip) passes the other "
        "one on: move the limit, use a smooth bound such as tanh, or penalise instead of clip"
    ),
    "clamp": (
        "the operand is outside the clip limits at every entry: widen the limits, use a smooth "
        "bound such as tanh or sigmoid, or a straight-through estimator"
    ),
    "select_n": (
        "the mask of `jnp.where` excludes this branch at every entry (a dead relu is one such "
        "case): check the condition, use `jax.nn.leaky_relu`, or blend smoothly"
    ),
    "sign": _TEXTS["staircase"],
}
_ANY_FLAT = (
    "the local partial of `{0}` is zero at every entry: the point lies where the function is flat; "
    "use a smooth surrogate, or start elsewhere"
)


def why_cut(event: Event) -> str:
    """The reason for which an operation lets no gradient through."""
    return _CUTS.get(event.primitive, "none")


def suggest(why: str, primitive: str) -> str:
    """The suggestion for a reason."""
    flat = _FLAT.get(primitive, _ANY_FLAT).format(primitive)
    if why == "flat":
        return flat
    if why == "factor":
        more = _TEXTS[_CUTS[primitive]].format(primitive) if primitive in _CUTS else flat
        return _TEXTS["factor"].format(primitive, more)
    return _TEXTS[why].format(primitive)
