"""Derivatives of JAX's own functions that are wrong, each with its reproducer and the truth.

They came out of running `check` over the public functions of `jax.nn`, `jax.scipy`, `jax.numpy`,
`jax.lax` and Optax. The right numbers are mpmath's, or follow from algebra written out beside them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.scipy.linalg
import numpy as np
from jax.lax import linalg as lax_linalg
from jax.scipy import special, stats


class Defect(NamedTuple):
    """A derivative that JAX gets wrong.

    Attributes:
        name: of the function, and where it fails.
        function: what to check.
        point: its arguments.
        derivative: computes what JAX gets wrong, from the arguments.
        right: what it should be; the entries of `derivative`.
        reason: why that is right, and why JAX is not.
        first, until: the versions of JAX that have it, `until` not included; empty for all.
        kind: the finding by which `check` reports it; empty where it cannot.
        verdict: what `check` says.
        rtol: how far JAX may be from `right` and count as mended.
    """

    name: str
    function: Callable[..., Any]
    point: tuple[Any, ...]
    derivative: Callable[..., Any]
    right: Any
    reason: str
    first: str = ""
    until: str = ""
    kind: str = "gradient"
    verdict: str = "wrong"
    rtol: float = 1e-3


def grad_of(function: Callable[..., Any], argument: int = 0) -> Callable[..., Any]:
    """The gradient of the sum of a function's results."""
    return jax.grad(lambda *args: jnp.sum(function(*args)), argnums=argument)


def twice(function: Callable[..., Any]) -> Callable[..., Any]:
    """The second derivative of an elementwise function."""
    return grad_of(grad_of(function))


TWO, ZERO = jnp.array([2.0]), jnp.array([0.0])


def leading(nodes: Any) -> Any:
    """The leading coefficient of a parabola through four points."""
    return jnp.polyfit(nodes, jnp.array([1.0, 2.0, 4.0, 3.0]), 2)[0]


# --- special functions ----------------------------------------------------------------------------

FAR_LEFT = jnp.array([-20.5])
A = jnp.array([0.3, -0.7])
WEIGHTS = jnp.array([1.0, 0.0])


def fresnel_c(x: Any) -> Any:
    return special.fresnel(x)[1]


def power_one(x: Any) -> Any:
    return jax.lax.pow(x, 1)


def log_sum(weights: Any) -> Any:
    return special.logsumexp(A, b=weights)


SPECIAL = (
    Defect(
        "digamma at -20.5", special.digamma, (FAR_LEFT,), grad_of(special.digamma),
        [9.82199434464988],
        "psi'(-20.5) by mpmath, psi(1, x). JAX is right at "
        "-2.4, but here it returns -0.0476, though psi' is positive",
    ),
    Defect(
        "gammaln at -20.5, second derivative", special.gammaln, (FAR_LEFT,),
        twice(special.gammaln), [9.82199434464988],
        "the derivative of digamma there, see above", kind="second",
    ),
    Defect(
        "i1e at 1e-7, second derivative", special.i1e, (jnp.array([1e-7]),), twice(special.i1e),
        [-0.9999998125],
        "exp(-x) I1(x) = x/2 - x^2/2 + 5 x^3/16 - ... for x > 0, by mpmath. Below the unit "
        "roundoff JAX takes the first derivative to be the constant 1/2. `check` reports it, but "
        "takes half a minute to compile the series",
        kind="",
    ),
    Defect(
        "i1 at 0, second derivative", special.i1, (jnp.array([0.0]),),
        twice(special.i1), [0.0],
        "I1(x) = x/2 + x^3/16 + ... is odd; JAX returned 1. Our engine has JAX's rule",
        until="0.11", kind="",
    ),
    Defect(
        "fresnel's C at 1, second derivative", fresnel_c, (jnp.array([1.0]),), twice(fresnel_c),
        [-np.pi],
        "C' = cos(pi x^2 / 2), C'' = -pi x sin(pi x^2 / 2). JAX returns zero at "
        "exactly 1, and the right number at 0.9 and 1.1",
        kind="",
    ),
    Defect(
        "power with exponent 1 at 0, second derivative", power_one, (jnp.array([0.0]),),
        twice(power_one), [0.0],
        "x ** 1 is x; JAX computes 1 * (0 * x ** -1)", kind="second",
    ),
    Defect(
        "sinc at 1e-4", jnp.sinc, (jnp.array([1e-4]),), grad_of(jnp.sinc), [-0.000328986813],
        "-pi^2 x / 3 + ..., by mpmath; JAX subtracted nearly equal numbers, -0.00136 in float32. "
        "`check` says that digits are lost to rounding",
        until="0.11", kind="precision", verdict="right",
    ),
    Defect(
        "erfcx of an array, second derivative", getattr(special, "erfcx", special.erfc),
        (jnp.array([0.3, 1.0]),), twice(getattr(special, "erfcx", special.erfc)),
        [1.0566268, 0.3087431],
        "erfcx'' = 2 erfcx + 2 x erfcx', by mpmath. The rule of its derivative selects between "
        "a scalar and an array, and raises TypeError",
        first="0.12", kind="error",
    ),
    Defect(
        "logsumexp by a weight that is zero", log_sum, (WEIGHTS,), grad_of(log_sum),
        [1.0, 0.36787944],
        "log(sum(b exp(a))) has the derivative exp(a_i) / sum(b exp(a)) by b_i, exp(-1) here, "
        "whatever b_i. JAX sets a_i to minus infinity where b_i == 0; the derivative becomes zero, "
        "and jumps there. optax.losses.sigmoid_focal_loss inherits it for hard labels",
    ),
    Defect(
        "boxcox by its parameter at 0", special.boxcox, (TWO, ZERO), grad_of(special.boxcox, 1),
        [0.2402265],
        "(x^k - 1) / k = log(x) + k log(x)^2 / 2 + ...; its derivative at k = 0 is log(x)^2 / 2. "
        "JAX takes the branch log(x) there, in which k does not occur, and returns 0",
    ),
    Defect(
        "boxcox1p by its parameter at 0", special.boxcox1p, (TWO - 1, ZERO),
        grad_of(special.boxcox1p, 1), [0.2402265], "as boxcox",
    ),
    Defect(
        "beta at -1.6", special.beta, (jnp.array([-1.6]), jnp.array([0.8])),
        grad_of(special.beta), [-1.7669365],
        "by mpmath; JAX multiplies by the derivative of the gamma function's sign, and returns "
        "NaN at every a < -1", kind="nan",
    ),
    Defect(
        "truncnorm.logpdf in the tail, by the lower limit", stats.truncnorm.logpdf,
        (jnp.array([6.2]), jnp.array([6.0]), jnp.array([8.0])), grad_of(stats.truncnorm.logpdf, 1),
        [6.1584865], "by mpmath; the value is right, the derivative NaN in float32",
    ),
    Defect(
        "gumbel_r.logsf at -12, second derivative", stats.gumbel_r.logsf, (jnp.array([-12.0]),),
        twice(stats.gumbel_r.logsf), [0.0],
        "exp(-exp(12)) is 0 to 70,000 digits; JAX computes 0 * inf", kind="second",
    ),
    Defect(
        "polyfit with a node at 0, by the node", leading, (jnp.array([0.0, 1.0, 2.0, 3.0]),),
        grad_of(leading), [-0.725, 0.475, 0.225, 0.025],
        "by central differences of NumPy's polyfit. JAX builds the powers of 0 by a power function "
        "whose derivative at 0 is NaN", kind="nan",
    ),
    Defect(
        "gammainc by its parameter at 1e5", special.gammainc,
        (jnp.array([1e5]), jnp.array([1.001e5])), grad_of(special.gammainc),
        [-0.0011994802802502],
        "mpmath's derivative of the regularised incomplete gamma function. igamma_grad_a sums a "
        "series that loses its digits in float32 for large parameters: -0.00116; float64 is right",
        rtol=5e-3,
    ),
)  # fmt: skip

# --- linear algebra -------------------------------------------------------------------------------

SYMMETRIC = jnp.array([[4.25, 1.5, -0.75], [1.5, 3.0, -0.5], [-0.75, -0.5, 6.25]])
WIDE = jnp.array([[0.3, -0.7, 1.2], [0.9, 0.1, -0.4]])
RANK_TWO = jnp.array([[1.0, 1.0, 1.0], [2.0, 2.0, -2.0], [-2.0, -2.0, 1.0]])
RANK_ONE = jnp.outer(jnp.array([1.0, 2.0, 3.0]), jnp.array([2.0, 3.0, 4.0]))


def lowest(a: Any) -> Any:
    return lax_linalg.eigh(a, symmetrize_input=False)[1][0]


def above(gradient: Any) -> Any:
    """The entries above the diagonal."""
    return gradient[jnp.triu_indices(3, 1)]


def lower_factor(a: Any) -> Any:
    return jnp.linalg.cholesky(a, symmetrize_input=False)


def pivoted(a: Any) -> Any:
    return jax.scipy.linalg.qr(a, mode="economic", pivoting=True)[:2]


def product(a: Any) -> Any:
    """Q R, which is `a` itself with its columns exchanged."""
    q, r = pivoted(a)
    return q @ r


def along_ones(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda a: jax.jvp(function, (a,), (jnp.ones_like(a),))[1]


def det_second(a: Any) -> Any:
    """The second derivative of det by the entries (0, 0) and (1, 1): the third diagonal entry."""
    return jax.grad(lambda x: jax.grad(jnp.linalg.det)(x)[0, 0])(a)[1, 1]


ALGEBRA = (
    Defect(
        "eigh(symmetrize_input=False), the triangle that is not read", lowest, (SYMMETRIC,),
        lambda a: above(grad_of(lowest)(a)), [0.0, 0.0, 0.0],
        "only the lower triangle is read, so that the derivative by the upper one is zero; JAX "
        "spreads the cotangent over both, which is right for symmetric tangents only. And its "
        "rule symmetrises the input: for others the value changes under differentiation",
    ),
    Defect(
        "cholesky(symmetrize_input=False), the triangle that is not read", lower_factor,
        (SYMMETRIC,), lambda a: above(grad_of(lower_factor)(a)), [0.0, 0.0, 0.0],
        "only the lower triangle is read", until="0.11",
    ),
    Defect(
        "pivoted qr of a wide matrix", pivoted, (WIDE,), along_ones(product), np.ones((2, 3)),
        "Q R is the matrix with its columns exchanged, whose derivative along ones is ones; the "
        "tangents of Q and R do not multiply to that where a pivoted matrix is wide",
    ),
    Defect(
        "det at a singular matrix", jnp.linalg.det, (RANK_TWO,), grad_of(jnp.linalg.det),
        [[-2.0, 2.0, 0.0], [-3.0, 3.0, 0.0], [-4.0, 4.0, 0.0]],
        "the cofactors, in whole numbers; JAX returns zero where the vanishing pivot is not the "
        "last one, as in a quarter of the singular 3 by 3 matrices of small whole numbers",
        first="0.11",
    ),
    Defect(
        "det at a matrix of rank one, second derivative", jnp.linalg.det, (RANK_ONE,), det_second,
        12.0, "det is a polynomial, and this its third diagonal entry; JAX returns zero, and "
        "`check` at this point alone does not see it",
        first="0.11", kind="",
    ),
)  # fmt: skip

# --- scattering -----------------------------------------------------------------------------------

X, UPDATES = jnp.array([0.3, -0.7, 1.2]), jnp.array([1.0, 1.5])
PAST_THE_END = jnp.array([0, 7])


def highest(x: Any, y: Any) -> Any:
    return x.at[PAST_THE_END].max(y, mode="clip")


ORIGIN = jnp.array([0.0, 2.0])


def powers(x: Any) -> Any:
    return jnp.vander(x, 3)


SCATTERING = (
    Defect(
        "vander at zero, forward mode",
        powers,
        (ORIGIN,),
        along_ones(powers),
        [[0.0, 1.0, 0.0], [4.0, 1.0, 0.0]],
        "the derivatives of x**2, x and 1; the powers are a cumulative product, whose tangent "
        "divides by the entry",
        kind="",
    ),
    Defect(
        'x.at[].max(mode="clip")',
        highest,
        (X, UPDATES),
        grad_of(highest),
        [0.0, 1.0, 0.0],
        "index 7 is clipped to 2, where 1.5 replaces 1.2; the rule gathers at the unclipped index",
        until="0.11",
    ),
)

DEFECTS = (*SPECIAL, *ALGEBRA, *SCATTERING)
