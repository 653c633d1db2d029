"""Suggestions that are the same whatever the operands are."""

from __future__ import annotations

EXP = (
    "overflow in exp: its operand is too large. Subtract the maximum (`jax.nn.softmax`, "
    "`jax.nn.logsumexp`), use the stable form (`jax.nn.softplus`, `jax.nn.sigmoid`, "
    "`jnp.logaddexp`), or clip the operand before exp"
)
DIFFERENCE = (
    "inf - inf is NaN. In a softmax or logsumexp every entry of a row may be masked with -inf: "
    "mask with a large finite number such as `jnp.finfo(x.dtype).min`, or make sure that each "
    "row keeps an entry"
)
CHOLESKY = (
    "cholesky of a matrix that is not positive definite is NaN: symmetrise it and add a jitter "
    "to the diagonal, `a + eps * jnp.eye(n)`"
)
INVERSE = (
    "the matrix is singular, so that its inverse or solution is infinite: add a jitter to the "
    "diagonal, or use `jnp.linalg.lstsq`, `pinv` or `slogdet`"
)
ANGLE = (
    "arctan2(0, 0) has no gradient (0 / 0, a division by zero): replace the operands at the "
    "origin before it with a double where"
)
HYPERBOLIC = (
    "the operand is at or beyond the edge of the domain, or so large that exp inside "
    "overflows: clip it before"
)
CUSTOM = (
    "the function's own custom rule makes this number: make the rule safe at this point, or "
    'compare with custom_rules="ignore", which differentiates the body instead'
)
LOOKUP = (
    "an index is out of bounds, and what is read there is NaN (`jnp.take`, `nnx.Embed` and "
    "`.at[].get(mode='fill')` fill so): keep the indices within 0 <= i < n, or clip them, "
    "mode='clip'"
)
WHERE = (
    "this is the `where` trap: the branch that jnp.where does not choose still runs, and its zero "
    "cotangent times a non-finite partial is NaN. Use the double where: choose a safe operand "
    "before the function, as in `safe = jnp.where(mask, x, 1.0)`, "
    "`jnp.where(mask, f(safe), 0.0)`; or pass strong_zeros=True to funcgrad's transforms"
)
FIXED = {
    "exp": EXP,
    "exp2": EXP,
    "expm1": EXP,
    "sinh": EXP,
    "cosh": EXP,
    "sub": DIFFERENCE,
    "cholesky": CHOLESKY,
    "cholesky_update": CHOLESKY,
    "lu": INVERSE,
    "lu_solve": INVERSE,
    "triangular_solve": INVERSE,
    "qr": INVERSE,
    "custom_linear_solve": INVERSE,
    "linear_solve": INVERSE,
    "geqrf": INVERSE,
    "householder_product": INVERSE,
    "atan2": ANGLE,
    "acosh": HYPERBOLIC,
    "atanh": HYPERBOLIC,
    "asinh": HYPERBOLIC,
    "custom_jvp_call": CUSTOM,
    "custom_vjp_call": CUSTOM,
    "gather": LOOKUP,
    "dynamic_slice": LOOKUP,
    "take": LOOKUP,
}
