"""Running sums, products, extrema and log-sum-exps along an axis, in either direction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from .. import _jaxcompat as compat
from .._jaxcompat import primitives as p
from .._registry import Case, general, linear
from .._reverse import sweep
from .._trace import record
from ._cases import shaped

linear(
    p.cumsum_p,
    lambda ct, _y, _x, *, axis, reverse: lax.cumsum(ct, axis, not reverse),
    cases=[
        shaped(lambda x: lax.cumsum(x, axis=0), (3,), (2, 3), (0, 2), (2, 0)),
        shaped(lambda x: lax.cumsum(x, axis=1, reverse=True), (2, 3), (2, 3, 2)),
        shaped(jax.vmap(lambda x: lax.cumsum(x, reverse=True)), (2, 3)),
    ],
)  # fmt: skip

# --- first-order recurrences ----------------------------------------------------------------------

# The pullbacks of the running product and of the running log-sum-exp are both, entry by entry, a
# factor times a sum over the later entries that satisfies a first-order recurrence:
#     s[j] = c[j] + f[j] s[j + 1].
# Two steps of it make again a step, s -> (c1 + f1 c2) + f1 f2 s, so an associative scan solves it:
# without a division, and with a number of operations linear in the length.


def _resolve(factors: Any, terms: Any, axis: int, backwards: bool) -> Any:
    """s with s[j] = terms[j] + factors[j] s[j + 1] along an axis, or s[j - 1] for `backwards`."""

    def compose(inner: Any, outer: Any) -> Any:
        return outer[0] * inner[0], outer[1] + outer[0] * inner[1]

    scan = lax.associative_scan(compose, (factors, terms), reverse=not backwards, axis=axis)
    return scan[1]


def _shift(x: Any, fill: float, axis: int, later: bool) -> Any:
    """Every entry's neighbour along an axis, the later or the earlier one; at the end `fill`."""
    edges = [(0, 0, 0)] * x.ndim
    edges[axis] = (-1, 1, 0) if later else (1, -1, 0)
    return lax.pad(x, compat.scalar(fill, x.dtype), edges) if x.shape[axis] else x


# With y[i] = x[0] ... x[i] the product over all k <= i but j is y[j - 1] x[j + 1] ... x[i], so
#     sum_i ct[i] dy[i]/dx[j] = y[j - 1] s[j],  s[j] = ct[j] + x[j + 1] s[j + 1],
# which holds for entries that are zero too.
def _cumprod_pullback(ct: Any, y: Any, x: Any, *, axis: int, reverse: bool) -> Any:
    following = _shift(x, 0, axis, not reverse)
    before = _shift(y, 1, axis, reverse)
    return before * _resolve(following, ct, axis, reverse)


general(
    p.cumprod_p, _cumprod_pullback,
    cases=[
        shaped(lambda x: lax.cumprod(x, axis=0), (5,), (2, 3), (1,), (0, 2), (2, 0)),
        shaped(lambda x: lax.cumprod(x, axis=1, reverse=True), (2, 3), (2, 4, 2)),
        Case(lambda z, x: lax.cumprod(jnp.concatenate([x[:2], z, x[2:], z])),
             ((-0.01, 0.01), (-2, 2)), (((1,), (4,)),), dtypes="fc",
             note="two entries are zero, or close to it"),
    ],
)  # fmt: skip


# With y[i] = log(e^x[0] + ... + e^x[i]) is dy[i]/dx[j] = e^(x[j] - y[i]) for i >= j, so
#     sum_i ct[i] dy[i]/dx[j] = e^(x[j] - y[j]) s[j],  s[j] = ct[j] + e^(y[j] - y[j + 1]) s[j + 1].
# No exponent is positive, so nothing overflows. (Exponents of y alone, with a plain running sum,
# would.) An entry of -inf takes no part in the sum and gets the cotangent 0.
def _cumlogsumexp_pullback(ct: Any, y: Any, x: Any, *, axis: int, reverse: bool) -> Any:
    step = lax.exp(_difference(y, _shift(y, jnp.inf, axis, not reverse)))
    share = jnp.where(x == -jnp.inf, 0, lax.exp(_difference(x, y)))
    return share * _resolve(step, ct, axis, reverse)


def _difference(a: Any, b: Any) -> Any:
    """a - b, and 0 for infinities that are equal."""
    equal = a == b
    return jnp.where(equal, 0, a - jnp.where(equal, 0, b))


general(
    p.cumlogsumexp_p, _cumlogsumexp_pullback,
    cases=[
        shaped(lambda x: lax.cumlogsumexp(x, axis=0), (5,), (2, 3), (1,), (0, 2), (2, 0)),
        shaped(lambda x: lax.cumlogsumexp(x, axis=1, reverse=True), (2, 3), (2, 4, 2)),
        shaped(lax.cumlogsumexp, (4,), dtypes="f", domain=(-90, 90)),
    ],
)  # fmt: skip

# --- running extrema ------------------------------------------------------------------------------


# Where several entries tie for the extremum, their shares depend on the order in which the maxima
# of pairs are taken: each pair's maximum splits its cotangent in halves. JAX takes them in the
# order of its associative scan, so the pullback is that of this program, recorded by this engine.
def _extremum_pullback(larger: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def pullback(ct: Any, _y: Any, x: Any, *, axis: int, reverse: bool) -> Any:
        def program(x: Any) -> list[Any]:
            return [lax.associative_scan(larger, x, axis=axis, reverse=reverse)]

        _, tape = record(program, [x])
        return sweep(tape, [ct])[0]

    return pullback


for _primitive, _function, _pairwise in (
    (p.cummax_p, lax.cummax, lax.max),
    (p.cummin_p, lax.cummin, lax.min),
):
    general(
        _primitive, _extremum_pullback(_pairwise),
        cases=[
            shaped(lambda x, f=_function: f(x, axis=0), (5,), (2, 3), (1,), (0, 2), dtypes="f"),
            shaped(lambda x, f=_function: f(x, axis=1, reverse=True), (2, 3), (2, 4, 2),
                   dtypes="f"),
            shaped(lambda x, f=_function: f(jnp.concatenate([x, x, x - 1])), (3,), dtypes="f",
                   note="every entry of the first half ties with one of the second"),
        ],
    )  # fmt: skip
