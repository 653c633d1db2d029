"""Products of arrays."""

from __future__ import annotations

from .._choices import Choices
from .._domains import beyond, both, like, matrix, ranked, real, square_matrix
from .._kinds import Operation, Params, Shape


def follows(shape: Shape, *before: Shape) -> bool:
    """What a matrix product takes on the right of the operand before."""
    first = before[-1]
    return len(shape) in (1, 2) and shape[0] == first[-1]


def batched(shape: Shape, *before: Shape) -> bool:
    """The right operand of a stack of products."""
    first = before[0]
    return len(shape) == len(first) and shape[:-2] == first[:-2] and shape[-2] == first[-1]


def contraction(choices: Choices, first: Shape, second: Shape) -> Params | None:
    """Any one pair of axes of one length; a second pair is a batch."""
    pairs = [(i, j) for i, n in enumerate(first) for j, m in enumerate(second) if n == m]
    if not pairs:
        return None
    i, j = choices.choice(pairs)
    rest = [(a, b) for a, b in pairs if a != i and b != j]
    batch = choices.choice(rest) if rest and choices.boolean() else None
    left, right = ((batch[0],), (batch[1],)) if batch else ((), ())
    return {"dimensions": str((((i,), (j,)), (left, right)))}


MATRIX, VECTOR = both(matrix), both(ranked(1, 1))
STACK = both(ranked(3, 3))
OPERATIONS = (
    Operation("matmul", "linear algebra", "{0} @ {1}", (both(ranked(1, 2)), both(follows))),
    Operation("batched_matmul", "linear algebra", "jnp.matmul({0}, {1})", (STACK, both(batched))),
    Operation(
        "dot_general",
        "linear algebra",
        "lax.dot_general({0}, {1}, {dimensions})",
        (both(ranked(1, 3)), both(ranked(1, 3))),
        contraction,
    ),
    Operation(
        "dot_preferring",
        "linear algebra",
        "lax.dot_general({0}, {1}, (((0,), (0,)), ((), ())), preferred_element_type={0}.dtype)",
        (real(ranked(1, 2)), real(like(0))),
    ),
    Operation("gram", "linear algebra", "{0} @ {0}.T", (both(matrix),)),
    Operation("vdot", "linear algebra", "jnp.vdot({0}, {1})", (both(ranked(1)), both(like(0)))),
    Operation(
        "inner", "linear algebra", "jnp.inner({0}, {1})", (both(ranked(1, 2)), both(like(0)))
    ),
    Operation("outer", "linear algebra", "jnp.outer({0}, {1})", (VECTOR, VECTOR)),
    Operation(
        "tensordot",
        "linear algebra",
        "jnp.tensordot({0}, {1}, axes=1)",
        (both(ranked(2, 3)), both(follows)),
    ),
    Operation("kron", "linear algebra", "jnp.kron({0}, {1})", (MATRIX, MATRIX)),
    Operation(
        "cross",
        "linear algebra",
        "jnp.cross({0}, {1})",
        (both(lambda shape: bool(shape) and shape[-1] == 3), both(like(0))),
    ),
    Operation(
        "einsum_rows",
        "linear algebra",
        "jnp.einsum('ij,kj->ik', {0}, {1})",
        (MATRIX, both(like(0))),
    ),
    Operation(
        "einsum_diagonal", "linear algebra", "jnp.einsum('ii->i', {0})", (both(square_matrix),)
    ),
    Operation(
        "einsum_three",
        "linear algebra",
        "jnp.einsum('i,ij,j->', {1}, {0}, {2})",
        (MATRIX, both(lambda s, first: s == first[:1]), both(lambda s, first, _: s == first[1:])),
    ),
    Operation(
        "matrix_power", "linear algebra", "jnp.linalg.matrix_power({0}, 3)", (both(square_matrix),)
    ),
    Operation(
        "multi_dot",
        "linear algebra",
        "jnp.linalg.multi_dot([{0}, {1}, {0}])",
        (real(square_matrix), real(like(0))),
    ),
    Operation(
        "ragged_dot",
        "linear algebra",
        "lax.ragged_dot({0}, {1}, jnp.array([1, {0}.shape[0] - 1]))",
        (
            real(matrix),
            real(lambda shape, first: len(shape) == 3 and shape[0] == 2 and shape[1] == first[1]),
        ),
        lambda _, shape, __: {} if shape[0] > 1 else None,
        # JAX has no batching rule over the groups, so it must not stand in every loop.
        apart=lambda *_: True,
        order=1,
    ),
    # At 0 the forward derivative of JAX is not a number: tests/verify/jax_defects.py.
    Operation(
        "vander",
        "linear algebra",
        "jnp.vander({0}.ravel()[:3], 3)",
        (real(ranked(1), beyond(0.05)),),
    ),
)
