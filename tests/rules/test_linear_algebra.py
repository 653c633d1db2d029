"""The functions of the libraries that are built on the decompositions, and the special points."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.linalg as scipy
import jax.scipy.sparse.linalg as krylov
import numpy as np
import pytest
from jax import lax

import funcgrad
from funcgrad._errors import MissingRuleError, UnknownParameterError
from funcgrad._jaxcompat import primitives as p
from funcgrad.rules._matrices import dominant, hermitian, known, positive, separated
from tests.comparing import assert_same, leaf_type

Shape = tuple[int, ...]
la = jnp.linalg

# Compiling is what these tests spend their time on.
QUICKLY = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


@pytest.fixture(scope="module", autouse=True)
def _in_64_bits() -> Iterator[None]:
    """The libraries promote dtypes and ranks; the numbers are as exact as they can be."""
    promotion = jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow")
    with jax.enable_x64(True), promotion[0], promotion[1]:
        yield


def array(random: Any, kind: Any) -> Any:
    value = random.uniform(-1, 1, kind.shape)
    if jnp.issubdtype(kind.dtype, jnp.complexfloating):
        value = value + 1j * random.uniform(-1, 1, kind.shape)
    return jnp.asarray(value, kind.dtype)


def arrays(kinds: Any, seed: int) -> Any:
    random = np.random.default_rng(seed)
    return jax.tree.map(lambda kind: array(random, kind), kinds)


def inputs(shapes: tuple[Shape, ...], dtype: str) -> tuple[Any, ...]:
    return tuple(arrays([jax.ShapeDtypeStruct(shape, dtype) for shape in shapes], 1))


def inexact(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function without what it returns of integers and ranks."""

    def kept(*arguments: Any) -> Any:
        leaves = jax.tree.leaves(function(*arguments))
        return [leaf for leaf in leaves if jnp.issubdtype(leaf.dtype, jnp.inexact)]

    return kept


def pulled(vjp: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """The gradients by the arguments for random cotangents."""
    function = inexact(function)

    def pull(*arguments: Any) -> Any:
        y, back = vjp(function, *arguments)
        return back(arrays(jax.eval_shape(lambda: y), 2))

    return pull


def both_orders(vjp: Callable[..., Any], function: Callable[..., Any], arguments: Any) -> Any:
    """The gradients, and those of the gradients."""
    first = pulled(vjp, function)
    return jax.jit(
        lambda *xs: (first(*xs), pulled(vjp, first)(*xs)), compiler_options=QUICKLY
    )(*arguments)  # fmt: skip


# --- the libraries --------------------------------------------------------------------------------


def norm(order: Any) -> Callable[[Any], Any]:
    return lambda a: la.norm(separated(a), ord=order)


def condition(order: Any) -> Callable[[Any], Any]:
    return lambda a: la.cond(separated(a), p=order)


def cho_solve(a: Any, b: Any) -> Any:
    return scipy.cho_solve(scipy.cho_factor(positive(a), lower=True), b)


def lu_solve(transposition: int) -> Callable[[Any, Any], Any]:
    return lambda a, b: scipy.lu_solve(scipy.lu_factor(a), b, trans=transposition)


def iterated(solver: Callable[..., Any], **how: Any) -> Callable[[Any, Any], Any]:
    return lambda a, b: solver(positive(a), b, tol=1e-15, maxiter=30, **how)[0]


def mapped_cg(a: Any, b: Any) -> Any:
    """A system of which the unknown is a pytree."""
    a = positive(a)
    pair = {"u": b, "v": 2 * b}
    return krylov.cg(lambda x: {"u": a @ x["u"] + x["v"], "v": a @ x["v"] + x["u"]}, pair,
                     tol=1e-15, maxiter=30)[0]  # fmt: skip


def symmetric_system(a: Any, b: Any) -> Any:
    a = positive(a)
    inverse = lax.stop_gradient(la.inv(a))
    return lax.custom_linear_solve(lambda x: a @ x, b, lambda _, g: inverse @ g, symmetric=True)


M, V, TALL, WIDE, RIGHT = (3, 3), (3,), (4, 2), (2, 4), (3, 2)
REAL, BOTH = ("float64",), ("float64", "complex128")

FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[Shape, ...], tuple[str, ...]]] = {
    "det": (la.det, ((4, 4),), BOTH),
    "det of a batch": (la.det, ((2, 3, 3),), REAL),
    "slogdet": (la.slogdet, ((4, 4),), BOTH),
    "slogdet by qr": (lambda a: la.slogdet(a, method="qr"), (M,), REAL),
    "inv": (lambda a: la.inv(dominant(a)), ((2, 3, 3),), BOTH),
    "solve": (lambda a, b: la.solve(dominant(a), b), (M, RIGHT), BOTH),
    "solve with a vector": (lambda a, b: la.solve(dominant(a), b), (M, V), REAL),
    "solve with one right side": (lambda a, b: la.solve(dominant(a), b), ((2, 3, 3), RIGHT), REAL),
    "tensorsolve": (la.tensorsolve, ((2, 2, 4), (2, 2)), REAL),
    "lstsq": (lambda a, b: la.lstsq(a, b)[0], (TALL, (4,)), BOTH),
    "lstsq of a wide matrix": (lambda a, b: la.lstsq(a, b)[0], (WIDE, (2,)), REAL),
    "pinv": (la.pinv, (TALL,), BOTH),
    "pinv of a wide matrix": (la.pinv, (WIDE,), REAL),
    "pinv of a hermitian matrix": (lambda a: la.pinv(hermitian(a), hermitian=True), (M,), REAL),
    **{f"norm {order}": (norm(order), (RIGHT,), REAL)
       for order in (None, "fro", "nuc", 2, -2, 1, -1, np.inf, -np.inf)},
    "matrix_power": (lambda a: la.matrix_power(dominant(a), -3), (M,), BOTH),
    **{f"cond {order}": (condition(order), (M,), REAL) for order in (None, -2, 1, "fro")},
    "eigvalsh": (lambda a: la.eigvalsh(hermitian(a)), (M,), BOTH),
    "eigh of what is symmetrized": (lambda a: la.eigh(separated(a), UPLO="U"), (M,), BOTH),
    "eigh by its upper triangle": (
        lambda a: la.eigh(hermitian(a), UPLO="U", symmetrize_input=False), (M,), BOTH),
    "svdvals": (lambda a: la.svdvals(separated(a)), (WIDE,), BOTH),
    "svd of a hermitian matrix": (lambda a: la.svd(hermitian(a), hermitian=True), (M,), BOTH),
    **{f"qr {mode} {shape}": (lambda a, mode=mode: la.qr(a, mode=mode), (shape,), BOTH)
       for mode in ("complete", "r") for shape in (TALL, WIDE)},
    "qr with pivoting": (lambda a: scipy.qr(separated(a), pivoting=True)[:2], (M,), REAL),
    "cholesky": (lambda a: la.cholesky(positive(a), upper=True), (M,), BOTH),
    "cho_solve": (cho_solve, (M, RIGHT), BOTH),
    "solve_triangular": (
        lambda a, b: scipy.solve_triangular(dominant(a), b, trans=2, lower=True), (M, V), BOTH),
    "lu": (scipy.lu, (M,), BOTH),
    "lu of a wide matrix": (lambda a: scipy.lu(a, permute_l=True), (WIDE,), REAL),
    **{f"lu_solve {i}": (lu_solve(i), (M, RIGHT), BOTH if i == 2 else REAL) for i in range(3)},
    "solve of a positive matrix": (
        lambda a, b: scipy.solve(positive(a), b, assume_a="pos"), (M, RIGHT), REAL),
    "expm": (scipy.expm, (M,), REAL),
    "polar by svd": (lambda a: scipy.polar(separated(a), method="svd"), (M,), BOTH),
    "block_diag": (scipy.block_diag, ((2, 2), (1, 3)), REAL),
    "cg": (iterated(krylov.cg), (M, V), REAL),
    "cg of a pytree": (mapped_cg, (M, V), REAL),
    "bicgstab": (iterated(krylov.bicgstab), (M, V), REAL),
    "gmres": (iterated(krylov.gmres, solve_method="incremental"), (M, V), REAL),
    "custom_linear_solve": (symmetric_system, (M, V), REAL),
}  # fmt: skip
SETTINGS = [(name, dtype) for name, (_, _, dtypes) in FUNCTIONS.items() for dtype in dtypes]


@pytest.mark.parametrize(("name", "dtype"), SETTINGS)
def test_gradients_of_two_orders_are_those_of_jax(name: str, dtype: str) -> None:
    function, shapes, _ = FUNCTIONS[name]
    arguments = inputs(shapes, dtype)
    ours, theirs = (both_orders(vjp, function, arguments) for vjp in (funcgrad.vjp, jax.vjp))
    assert_same(ours, theirs, factor=1000)  # of the condition numbers, squared by the second order


MAPPED = ["det", "solve", "lstsq", "eigvalsh", "svdvals", "qr r (2, 4)", "cho_solve", "lu", "cg"]


@pytest.mark.parametrize("name", MAPPED)
def test_gradients_are_those_of_jax_under_vmap(name: str) -> None:
    function, shapes, _ = FUNCTIONS[name]
    arguments = inputs(tuple((2, *shape) for shape in shapes), "float64")
    ours, theirs = (
        jax.jit(jax.vmap(pulled(vjp, function)), compiler_options=QUICKLY)(*arguments)
        for vjp in (funcgrad.vjp, jax.vjp)
    )
    assert_same(ours, theirs, factor=1000)


EMPTY: dict[str, Callable[[Any], Any]] = {
    "qr": la.qr,
    "svd": lambda a: la.svd(a, full_matrices=False),
    "lu": lambda a: lax.linalg.lu(a)[0],
    "pinv": la.pinv,
    "cholesky": la.cholesky,
    "eigh": la.eigh,
}
SQUARE = ((0, 0), (0, 2, 2))
SHAPES = {name: SQUARE if name in {"cholesky", "eigh"} else (*SQUARE, (3, 0), (0, 3))
          for name in EMPTY}  # fmt: skip


@pytest.mark.parametrize(("name", "shape"), [(n, s) for n in EMPTY for s in SHAPES[n]])
def test_matrices_without_entries(name: str, shape: Shape) -> None:
    x = jnp.zeros(shape)
    ours, theirs = (pulled(vjp, EMPTY[name])(x) for vjp in (funcgrad.vjp, jax.vjp))
    assert [*map(leaf_type, ours)] == [*map(leaf_type, theirs)] == [leaf_type(x)]


# --- special points -------------------------------------------------------------------------------


@pytest.mark.parametrize("diagonal", [(0, 0, 0), (2, 0, 0), (2, 1, 0)])
def test_the_determinant_of_a_singular_matrix(diagonal: Any) -> None:
    """The gradient is the matrix of cofactors, zero where the rank is less by two."""
    x = jnp.diag(jnp.asarray(diagonal, float))
    ours, theirs = (pulled(vjp, la.det)(x) for vjp in (funcgrad.vjp, jax.vjp))
    assert_same(ours, theirs, zero=diagonal[1] == 0)


def _in_scan(a: Any) -> Any:
    """Vectors leave the body, though nothing reads them."""
    return lax.scan(lambda c, _: (c, la.eigh(a)), 0.0, None, length=2)[1][0]


VALUES: dict[str, Callable[[Any], Any]] = {
    "eigvalsh": la.eigvalsh,
    "eigh": lambda a: la.eigh(a)[0],
    "eigh in jit": lambda a: jax.jit(la.eigh)(a)[0],
    "eigh in scan": _in_scan,
    "svdvals": la.svdvals,
    "svd": lambda a: la.svd(a)[1],
    "nuclear norm": lambda a: la.norm(a, "nuc"),
}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("diagonal", [(1, 1, 1), (2, 1, 1), (2, 0, 0)])
def test_equal_values_have_the_finite_gradient_of_jax(name: str, diagonal: Any) -> None:
    x = jnp.diag(jnp.asarray(diagonal, float))
    ours, theirs = (pulled(vjp, VALUES[name])(x) for vjp in (funcgrad.vjp, jax.vjp))
    assert_same(ours, theirs)


# --- ragged products, of which JAX has no second derivative ---------------------------------------


def _by_selection(a: Any, b: Any) -> Any:
    """Each row with the matrix of its group, by a sum over all groups."""
    groups = jnp.array([0, 0, 2, 2, 2, 3])  # rows of group 3 have no matrix
    chosen = (groups[:, None] == jnp.arange(3)).astype(a.dtype)
    return jnp.einsum("rg,rk,gkn->rn", chosen, a, b)


def test_the_second_derivative_of_a_ragged_product() -> None:
    arguments = inputs(((6, 3), (3, 3, 2)), "float64")
    sizes = jnp.array([2, 0, 3], jnp.int32)
    ours = both_orders(funcgrad.vjp, lambda a, b: lax.ragged_dot(a, b, sizes), arguments)
    assert_same(ours, both_orders(jax.vjp, _by_selection, arguments))


# --- what is refused ------------------------------------------------------------------------------


def _unsolved(a: Any, b: Any) -> Any:
    return lax.custom_linear_solve(lambda x: a @ x, b, lambda _, g: la.inv(a) @ g)


REFUSED: list[tuple[str, Callable[..., Any], tuple[Shape, ...]]] = [
    (r"full_matrices=True of a matrix of shape \(4, 2\)", la.svd, (TALL,)),
    (r"svd with subset_by_index=\(0, 1\)", lambda a: lax.linalg.svd(
        a, full_matrices=False, compute_uv=False, subset_by_index=(0, 1)), (M,)),
    (r"eigh with subset_by_index=\(0, 2\)", lambda a: lax.linalg.eigh(
        a, subset_by_index=(0, 2)), (M,)),
    ("without transpose_solve", _unsolved, (M, V)),
]  # fmt: skip


@pytest.mark.parametrize(("message", "function", "shapes"), REFUSED)
def test_what_has_no_gradient_says_so(
    message: str, function: Callable[..., Any], shapes: tuple[Shape, ...]
) -> None:
    with pytest.raises(MissingRuleError, match=message):
        jax.eval_shape(pulled(funcgrad.vjp, function), *inputs(shapes, "float64"))


def test_a_structured_rule_refuses_a_parameter_of_a_newer_jax() -> None:
    with pytest.raises(UnknownParameterError, match="backwards=True"):
        known(p.eigh_p, {"lower": True, "backwards": True}, "lower")


# --- Cholesky in blocks ---------------------------------------------------------------------------

LARGE = 163  # rows: more than one block, of which none is aligned


def well_conditioned(dtype: str, *batch: int) -> Any:
    """Well conditioned matrices that are decomposed in blocks."""
    draw = np.random.default_rng(3)
    parts = draw.normal(size=(2, *batch, LARGE, LARGE)) / LARGE**0.5
    a = (parts[0] + (1j * parts[1] if dtype.startswith("complex") else 0)).astype(dtype)
    return jnp.asarray(a @ a.conj().swapaxes(-1, -2) + 2 * np.eye(LARGE, dtype=dtype))


def weighed(a: Any) -> Any:
    """A number to which every entry of the factor counts differently."""
    factor = jnp.linalg.cholesky(a)
    weights = jnp.cos(jnp.arange(LARGE * LARGE, dtype=jnp.float32)).reshape(LARGE, LARGE)
    return jnp.sum(jnp.real(factor) * weights + jnp.imag(factor) * weights.T + jnp.abs(factor) ** 4)


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
@pytest.mark.parametrize("batch", [(), (2,)], ids=str)
def test_cholesky_in_blocks(dtype: str, batch: tuple[int, ...]) -> None:
    a = well_conditioned(dtype, *batch)
    ours, theirs = (jax.jit(module.grad(weighed))(a) for module in (funcgrad, jax))
    assert_same(ours, theirs, factor=8)


def test_a_hessian_of_cholesky_in_blocks() -> None:
    a = well_conditioned("float32")
    v = a @ a - 3 * a
    ours = jax.jit(lambda a, v: funcgrad.hvp(weighed, (a,), (v,)))(a, v)
    assert_same(
        ours, jax.jit(lambda a, v: jax.jvp(jax.grad(weighed), (a,), (v,))[1])(a, v), factor=20
    )
    twice = jax.jit(funcgrad.grad(lambda a: jnp.sum(funcgrad.grad(weighed)(a) * v)))(a)
    assert_same(twice, ours, factor=20)
