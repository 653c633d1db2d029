"""Mistakes with the transforms: `grad`, `vjp`, `jacrev`, `hessian`, `hvp`, `tape`."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import funcgrad as fg
from funcgrad._errors import TraceEndedError
from tests.mistakes.kinds import INTS, THREE, Mistake, N, T, V, X, both, f, ours, tree, two

_KEPT: list[Any] = []


def _after_its_trace(module: Any) -> Any:
    _KEPT.clear()

    def keeps(x: Any) -> Any:
        _KEPT.append(module.vjp(f, x)[1])
        return x

    jax.jit(keeps)(X)
    return _KEPT.pop()(jnp.float32(1.0))


ARGNUMS = (
    both("argnums beyond", N, "argnums=2 points beyond the 1 positional",
         lambda m: m.grad(f, 2)(X)),
    both("argnums far negative", N, "argnums=-3 points beyond", lambda m: m.grad(f, -3)(X)),
    both("argnums twice", N, r"argnums=\(0, 0\) names an argument of `two` twice; name each one",
         lambda m: m.grad(two, (0, 0))(X, X)),
    both("argnums twice, one negative", N, "twice", lambda m: m.grad(two, (0, -2))(X, X)),
    both("argnums a string", T, "argnums must be an integer .* holds 'x'",
         lambda m: m.grad(f, "x")(X)),
    both("argnums a float", T, "argnums must be an integer .* holds 0.0",
         lambda m: m.grad(f, 0.0)(X)),
    both("argnums with None", T, "argnums must be an integer .* holds None",
         lambda m: m.grad(two, (0, None))(X, X)),
    both("argument by keyword", N, "beyond the 0 positional .* passed by position",
         lambda m: m.grad(f)(x=X)),
    both("no argument", N, "argnums=0 points beyond the 0 positional", lambda m: m.grad(f)()),
    both("argnums of jacrev", N, "argnums=1 points beyond", lambda m: m.jacrev(f, 1)(X)),
    both("argnums of hessian", N, "argnums=3 points beyond", lambda m: m.hessian(f, 3)(X)),
)  # fmt: skip

CALLS = (
    both("grad of a number", T, "grad takes a function first, but received 3.0 of type float",
         lambda m: m.grad(3.0)(X)),
    both("vjp of an array", T, "vjp takes a function first, but received", lambda m: m.vjp(X, X)),
    both("jacrev of None", T, "jacrev takes a function first, but received None",
         lambda m: m.jacrev(None)(X)),
    both("hessian of a string", T, "takes a function first, but received 'f'",
         lambda m: m.hessian("f")(X)),
    both("a missing argument", T, "`two` cannot be called with 1 .*: missing .* 'y'",
         lambda m: m.grad(two)(X)),
    both("an argument too many", T, "`f` cannot be called with 2 .*: too many positional",
         lambda m: m.grad(f)(X, X)),
    both("an unknown keyword", T, "`f` cannot be called with 1 .* and by keyword z: .* 'z'",
         lambda m: m.grad(f)(X, z=1)),
    both("vjp without the point", T, "`f` cannot be called with 0 .*: missing .* 'x'",
         lambda m: m.vjp(f)),
    both("value_and_grad too many", T, "cannot be called with 3",
         lambda m: m.value_and_grad(two)(X, X, X)),
)  # fmt: skip

OUTPUTS = (
    both("an array returned", T, r"scalar output, but `<lambda>` returned an array of shape \(2,\)",
         lambda m: m.grad(lambda x: x**2)(X)),
    both("a pair returned", T, "one scalar output, but `<lambda>` returned a tree of 2 leaves",
         lambda m: m.grad(lambda x: (f(x), x))(X)),
    both("nothing returned", T, "one scalar output, but `<lambda>` returned a tree of 0 leaves",
         lambda m: m.grad(lambda _: None)(X)),
    both("a dictionary returned", T, "tree of 1 leaves: PyTreeDef.*loss",
         lambda m: m.grad(lambda x: {"loss": f(x)})(X)),
    both("a string returned", T, "`<lambda>` returned 'a' of type str; an array or a number",
         lambda m: m.grad(lambda _: "a")(X)),
    both("a string beside the value", T, "returned 'a' of type str",
         lambda m: m.vjp(lambda x: (f(x), "a"), X)),
    both("an integer returned", T, "dtype int32; a floating dtype was expected: convert it",
         lambda m: m.grad(jnp.argmax)(X)),
    both("a boolean returned", T, "dtype bool; a floating dtype was expected",
         lambda m: m.grad(lambda x: x[0] > 0)(X)),
    both("a complex number returned", T, "dtype complex64; a real dtype was expected",
         lambda m: m.grad(lambda x: f(x) + 1j)(X)),
    both("a shape (1,) returned", T, r"returned an array of shape \(1,\); sum it",
         lambda m: m.grad(lambda x: x[:1])(X)),
    both("has_aux without a pair", T, "must return a pair .*, but returned",
         lambda m: m.grad(f, has_aux=True)(X)),
    both("has_aux with three", T, "must return a pair .*, but returned tuple",
         lambda m: m.grad(lambda x: (f(x), 1, 2), has_aux=True)(X)),
    both("has_aux of vjp", T, "must return a pair", lambda m: m.vjp(f, X, has_aux=True)),
    both("integers of jacrev", T, "jacrev: the output leaf .* int32; a floating dtype was expected",
         lambda m: m.jacrev(jnp.argsort)(X)),
)  # fmt: skip

INPUTS = (
    both("integers", T, r"leaf inputs\[0\] is of dtype int32; a floating dtype was expected",
         lambda m: m.grad(f)(INTS)),
    both("a Python integer", T, "dtype int32; a floating dtype was expected",
         lambda m: m.grad(f)(3)),
    both("a boolean", T, "dtype bool; a floating dtype was expected", lambda m: m.grad(f)(True)),
    both("a string leaf", T, r"inputs\[0\]\['name'\] is 'a' of type str; an array or a number",
         lambda m: m.grad(tree)({"w": X, "name": "a"})),
    both("a list of strings", T, r"inputs\[0\]\[0\] is 'a' of type str",
         lambda m: m.grad(f)(["a"])),
    both("an object leaf", T, "of type object; an array or a number was expected",
         lambda m: m.grad(tree)({"w": X, "o": object()})),
    both("an array of objects", T, "of type ndarray; an array or a number was expected",
         lambda m: m.grad(f)(np.array([1.0, None]))),
    both("an integer leaf in a tree", T, r"inputs\[0\]\['n'\] is of dtype int32",
         lambda m: m.grad(tree)({"w": X, "n": jnp.array(3)})),
    both("a random key", T, "dtype key<fry>; a floating dtype was expected",
         lambda m: m.grad(jax.random.normal)(jax.random.key(0))),
    both("holomorphic of reals", T, "dtype float32; with holomorphic=True a complex dtype",
         lambda m: m.grad(f, holomorphic=True)(X)),
    both("a string for vjp", T, r"inputs\[0\] is 'a' of type str", lambda m: m.vjp(f, "a")),
    both("integers of jacrev, in", T, "jacrev: the input leaf .* int32",
         lambda m: m.jacrev(f)(INTS)),
    both("integers of hessian", T, "the input leaf .* int32", lambda m: m.hessian(f)(INTS)),
    ours("a string for the tape", T, r"tape: the input leaf inputs\[0\] is 'a' of type str",
         lambda: fg.tape(f, "a")),
)  # fmt: skip

COTANGENTS = (
    both("a cotangent of another shape", V, r"has shape \(3,\), but the output has shape \(\)",
         lambda m: m.vjp(f, X)[1](THREE)),
    both("an integer cotangent", V, "has dtype int32, but .* of dtype float32; convert it",
         lambda m: m.vjp(f, X)[1](1)),
    both("a cotangent of half precision", V, "has dtype float16, but .* of dtype float32",
         lambda m: m.vjp(f, X)[1](jnp.float16(1))),
    both("a complex cotangent", V, "has dtype complex64, but .* float32",
         lambda m: m.vjp(f, X)[1](1j)),
    both("one cotangent for two outputs", V, r"structure PyTreeDef\(\*\), but the output has",
         lambda m: m.vjp(lambda x: (x, x), X)[1](X)),
    both("no cotangent", V, r"structure PyTreeDef\(None\), but the output has PyTreeDef\(\*\)",
         lambda m: m.vjp(f, X)[1](None)),
    both("a string for a cotangent", T, "holds 'a' of type str; an array was expected",
         lambda m: m.vjp(f, X)[1]("a")),
    both("two cotangents", T, "given 2 arguments, but takes one cotangent",
         lambda m: m.vjp(f, X)[1](1.0, 1.0)),
    both("a list for a tuple", V, r"structure PyTreeDef\(\[\*, \*\]\), but the output has",
         lambda m: m.vjp(lambda x: (x, x), X)[1]([X, X])),
    both("a pullback after its trace", TraceEndedError,
         "the pullback of `f` holds values of a transformation .* that has ended; call it inside",
         _after_its_trace),
)  # fmt: skip

VECTORS = (
    Mistake("a vector of another shape", lambda: fg.hvp(f, (X,), (THREE,)), V,
            r"tangents\[0\] has shape \(3,\), but its primal has \(2,\)",
            lambda: jax.jvp(jax.grad(f), (X,), (THREE,))),
    Mistake("a vector too many", lambda: fg.hvp(f, (X,), (X, X)), T,
            r"structure PyTreeDef\(\(\*, \*\)\), but the primals",
            lambda: jax.jvp(jax.grad(f), (X,), (X, X))),
    Mistake("vectors without a tuple", lambda: fg.hvp(f, X, X), T,  # type: ignore[arg-type] # the mistake
            r"primals must be a tuple .*, but is Array", lambda: jax.jvp(jax.grad(f), X, X)),
    Mistake("an integer vector", lambda: fg.hvp(f, (X,), (INTS,)), T,
            r"tangents\[0\] has dtype int32, but its primal has float32",
            lambda: jax.jvp(jax.grad(f), (X,), (INTS,))),
    Mistake("a vector of a string", lambda: fg.hvp(f, (X,), ("a",)), T,
            r"tangents\[0\] is 'a' of type str", lambda: jax.jvp(jax.grad(f), (X,), ("a",))),
    ours("hvp at an integer", T,
         r"hvp: the primal leaf primals\[0\]\['n'\] is of dtype int32; a floating dtype was "
         r"expected: convert it, or close over it instead of passing it",
         lambda: fg.hvp(lambda t: jnp.sum(t["x"] * t["n"]), *[({"x": X, "n": INTS},)] * 2)),
    ours("hvp of an array", T, r"returned an array of shape \(2,\)",
         lambda: fg.hvp(lambda x: x**2, (X,), (X,))),
    ours("hvp of nothing", T, r"primals must be a tuple .*, but is \(\)",
         lambda: fg.hvp(f, (), ())),
)  # fmt: skip

OPTIONS = (
    ours("an unknown word for custom_rules", V, 'custom_rules must be "honour" or "ignore", but is',
         lambda: fg.grad(f, custom_rules="ignored")(X)),  # type: ignore[arg-type] # the mistake
    ours("no checkpoints", V, "checkpoints must be a whole number of at least 1, but is 0",
         lambda: fg.grad(f, checkpoints=0)(X)),
    ours("half a checkpoint", V, "checkpoints must be a whole number of at least 1, but is 1.5",
         lambda: fg.grad(f, checkpoints=1.5)(X)),  # type: ignore[arg-type] # the mistake
    ours("a word for strong_zeros", T, "strong_zeros must be True or False, but is 'yes'",
         lambda: fg.grad(f, strong_zeros="yes")(X)),  # type: ignore[arg-type] # the mistake
)  # fmt: skip

TRANSFORMS: tuple[Mistake, ...] = (
    *ARGNUMS, *CALLS, *OUTPUTS, *INPUTS, *COTANGENTS, *VECTORS, *OPTIONS,
)  # fmt: skip
