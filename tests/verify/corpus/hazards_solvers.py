"""Right rules of solvers, and linear algebra: implicit differentiation, adjoints, close values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from tests.verify.corpus.cases import Case, by_jvp, by_vjp
from tests.verify.corpus.hazards_tools import case, definite, exactly, normal, sizes, tree, uniform

IMPLICIT, ADJOINT, LINEAR = "implicit function", "adjoint rule", "linear algebra"


def kepler_iterated(mean: Any, e: Any) -> Any:
    """E with E - e sin E = mean, by Newton's method."""

    def step(_: Any, x: Any) -> Any:
        return x - (x - e * jnp.sin(x) - mean) / (1 - e * jnp.cos(x))

    return lax.fori_loop(0, 12, step, mean + e * jnp.sin(mean))


def kepler_tangent(args: Any, tangents: Any) -> Any:
    x = kepler(*args)
    return (tangents[0] + jnp.sin(x) * tangents[1]) / (1 - args[1] * jnp.cos(x))


kepler: Callable[..., Any] = by_jvp(kepler_iterated, kepler_tangent)


def cosine_fixed_point_iterated(a: Any) -> Any:
    return lax.fori_loop(0, 80, lambda _, x: jnp.cos(a * x), 0.7 * jnp.ones_like(a))


def cosine_fixed_point_back(args: Any, ct: Any) -> Any:
    (a,) = args
    x = cosine_fixed_point(a)
    return (-ct * x * jnp.sin(a * x) / (1 + a * jnp.sin(a * x)),)


cosine_fixed_point: Callable[..., Any] = by_vjp(
    cosine_fixed_point_iterated, cosine_fixed_point_back
)


def newton_root_iterated(a: Any) -> Any:
    """x with x**3 + x = a."""

    def step(_: Any, x: Any) -> Any:
        return x - (x**3 + x - a) / (3 * x * x + 1)

    return lax.fori_loop(0, 40, step, a / (1 + jnp.abs(a)))


newton_root: Callable[..., Any] = by_vjp(
    newton_root_iterated, lambda a, ct: (ct / (3 * newton_root(a[0]) ** 2 + 1),)
)


def babylonian(a: Any) -> Any:
    return lax.fori_loop(0, 40, lambda _, x: (x + a / x) / 2, (a + 1) / 2)


babylonian_root: Callable[..., Any] = by_jvp(
    babylonian, lambda a, t: t[0] / (2 * babylonian_root(*a))
)


def lambert_iterated(a: Any) -> Any:
    """w with w exp w = a, for a > 0."""

    def step(_: Any, w: Any) -> Any:
        return w - (w - a * jnp.exp(-w)) / (1 + w)

    return lax.fori_loop(0, 20, step, jnp.log1p(a))


lambert: Callable[..., Any] = by_jvp(
    lambert_iterated, lambda a, t: t[0] * jnp.exp(-lambert(*a)) / (1 + lambert(*a))
)


def bisected(a: Any) -> Any:
    """The logarithm of a, by bisection: a body with no useful derivative."""

    def step(_: Any, limits: Any) -> Any:
        low, high = limits
        middle = (low + high) / 2
        below = jnp.exp(middle) < a
        return jnp.where(below, middle, low), jnp.where(below, high, middle)

    low, high = lax.fori_loop(0, 60, step, (-20 * jnp.ones_like(a), 20 * jnp.ones_like(a)))
    return (low + high) / 2


bisection: Callable[..., Any] = by_jvp(bisected, lambda a, t: t[0] / a[0])


def ridge_iterated(x: Any, y: Any) -> Any:
    """Least squares with a unit penalty, by the normal equations."""
    return jnp.linalg.solve(x.T @ x + jnp.eye(x.shape[1], dtype=x.dtype), x.T @ y)


def ridge_back(args: Any, ct: Any) -> Any:
    x, y = args
    w = ridge(x, y)
    v = jnp.linalg.solve(x.T @ x + jnp.eye(x.shape[1], dtype=x.dtype), ct)
    return jnp.outer(y - x @ w, v) - jnp.outer(x @ v, w), x @ v


ridge: Callable[..., Any] = by_vjp(ridge_iterated, ridge_back)


def solve_back(args: Any, ct: Any) -> Any:
    a, b = args
    adjoint = jnp.linalg.solve(a.T, ct)
    return -jnp.outer(adjoint, jnp.linalg.solve(a, b)), adjoint


def inverse_back(args: Any, ct: Any) -> Any:
    inverse = jnp.linalg.inv(args[0])
    return (-inverse.T @ ct @ inverse.T,)


def log_det(a: Any) -> Any:
    return jnp.linalg.slogdet(a)[1]


def cholesky_of(a: Any) -> Any:
    return jnp.linalg.cholesky((a + a.T) / 2)


def cholesky_back(args: Any, ct: Any) -> Any:
    """Murray 2016, "Differentiation of the Cholesky decomposition", equation 10."""
    lower = cholesky_of(args[0])
    inner = jnp.tril(lower.T @ ct)
    inner = inner - jnp.diag(jnp.diag(inner)) / 2
    inverse = jnp.linalg.inv(lower)
    full = inverse.T @ inner @ inverse
    return ((full + full.T) / 2,)


def symmetric(a: Any) -> Any:
    return (a + a.T) / 2


def spectral_entropy(a: Any) -> Any:
    values = jnp.linalg.eigvalsh(symmetric(a))
    return jnp.sum(values * jnp.log(values))


def spectral_gap(a: Any) -> Any:
    values = jnp.linalg.eigvalsh(symmetric(a))
    return values[-1] - values[0]


def nearly_double(d: Any) -> Any:
    """The eigenvalues of a matrix with two that differ by about 1e-2."""
    a = jnp.diag(jnp.array([1.0, 1.01, 3.0]).astype(d.dtype)) + 1e-3 * symmetric(d)
    return jnp.linalg.eigvalsh(a)


def conjugate_gradients(a: Any, b: Any) -> Any:
    return jax.scipy.sparse.linalg.cg(lambda v: symmetric(a) @ v, b, tol=1e-12, maxiter=30)[0]


def gaussian_process(p: Any) -> Any:
    """The negative log-likelihood of a Gaussian process."""
    x = jnp.linspace(0, 1, 8).astype(p["scale"].dtype)
    kernel = jnp.exp(-(((x[:, None] - x) / p["scale"]) ** 2)) + p["noise"] * jnp.eye(8)
    lower = jnp.linalg.cholesky(kernel.astype(x.dtype))
    z = jax.scipy.linalg.solve_triangular(lower, p["y"], lower=True)
    return z @ z / 2 + jnp.sum(jnp.log(jnp.diag(lower)))


PROCESS = tree(scale=uniform(0.2, 0.4), noise=uniform(0.05, 0.1), y=normal(8))
RIGHT_RULES = (
    case("kepler", IMPLICIT, kepler, uniform(0, 3, 4), uniform(0.1, 0.6, 4)),
    case("cosine_fixed_point", IMPLICIT, cosine_fixed_point, uniform(0.3, 0.9, 4)),
    case("newton_root", IMPLICIT, newton_root, normal(5, scale=5.0)),
    case("babylonian_root", IMPLICIT, babylonian_root, sizes(0.01, 100, 5)),
    case("lambert", IMPLICIT, lambert, sizes(0.1, 10, 5)),
    case("bisection", IMPLICIT, bisection, uniform(0.5, 5, 4)),
    case("ridge", IMPLICIT, ridge, normal(6, 3), normal(6)),
    case("solve_rule", ADJOINT, by_vjp(jnp.linalg.solve, solve_back), definite(4), normal(4)),
    case("inverse_rule", ADJOINT, by_vjp(jnp.linalg.inv, inverse_back), definite(4)),
    case("log_det_rule", ADJOINT,
         by_vjp(log_det, lambda a, ct: (ct * jnp.linalg.inv(a[0]).T,)), definite(4, 100.0)),
    case("cholesky_rule", ADJOINT, by_vjp(cholesky_of, cholesky_back), definite(4)),
    case("trace_of_inverse_rule", ADJOINT, by_vjp(
        lambda a: jnp.trace(jnp.linalg.inv(a)),
        lambda a, ct: (-ct * jnp.linalg.inv(a[0] @ a[0]).T,)), definite(4)),
    case("quadratic_rule", ADJOINT, by_vjp(
        lambda a, x: x @ a @ x,
        lambda a, ct: (ct * jnp.outer(a[1], a[1]), ct * (a[0] + a[0].T) @ a[1])),
        normal(4, 4), normal(4)),
)  # fmt: skip

PLAIN = (
    case("log_det", LINEAR, log_det, definite(5, 1e3)),
    case("solve", LINEAR, jnp.linalg.solve, definite(5, 1e2), normal(5)),
    case("inverse", LINEAR, jnp.linalg.inv, definite(4, 1e2)),
    case("determinant", LINEAR, jnp.linalg.det, normal(4, 4)),
    case("cholesky", LINEAR, cholesky_of, definite(4, 1e2)),
    case("qr", LINEAR, lambda a: jnp.abs(jnp.linalg.qr(a)[1]), normal(4, 3)),
    case("least_squares", LINEAR, lambda a, b: jnp.linalg.lstsq(a, b)[0], normal(6, 2), normal(6)),
    case("eigenvalue_sum", LINEAR, spectral_entropy, definite(4, 2.0)),
    case("eigenvalue_gap", LINEAR, spectral_gap, definite(4, 1.5)),
    case("nearly_double", LINEAR, nearly_double, normal(3, 3)),
    case("nuclear_norm", LINEAR, lambda a: jnp.linalg.norm(a, "nuc"), normal(4, 3)),
    case("spectral_norm", LINEAR, lambda a: jnp.linalg.norm(a, 2), normal(4, 3)),
    case("frobenius_norm", LINEAR, jnp.linalg.norm, normal(4, 3, scale=1e-3)),
    case("singular_values", LINEAR, lambda a: jnp.linalg.svd(a, compute_uv=False), normal(4, 3)),
    case("matrix_exponential", LINEAR, jax.scipy.linalg.expm, normal(3, 3)),
    case("conjugate_gradients", LINEAR, conjugate_gradients, definite(4), normal(4)),
    case("gaussian_process", LINEAR, gaussian_process, PROCESS),
    case("matrix_power", LINEAR, lambda a: jnp.linalg.matrix_power(a, 5), normal(3, 3)),
    case("cross", LINEAR, jnp.cross, normal(4, 3), normal(4, 3)),
    case("vandermonde", LINEAR, lambda x: jnp.linalg.det(jnp.vander(x)), exactly(0.1, 0.5, 1.2)),
)

CASES: tuple[Case, ...] = RIGHT_RULES + PLAIN
