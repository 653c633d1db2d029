"""What the transforms refuse, with which message, and that JAX refuses it by the same built-in."""

import functools
import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import funcgrad
from funcgrad._arguments import choose
from funcgrad._errors import (
    ArgumentNumberError,
    FuncgradError,
    GradientTypeError,
    GradientValueError,
)

pytestmark = pytest.mark.usefixtures("strict_jax")

X = np.array([0.3, -0.7, 1.2], np.float32)
COMPLEX = np.complex64(1 + 2j)


def product(x: Any, y: Any) -> Any:
    return x * y


def pair(x: Any) -> Any:
    return x, x


# name: how the mistake is made with a module's transforms, the built-in error, the message
Mistake = tuple[Callable[[Any], Any], type[Exception], str]
MISTAKES: dict[str, Mistake] = {
    "an integer": (
        lambda m: m.grad(product)(3, 2.0),
        TypeError,
        r"grad: the input leaf inputs\[0\] is of dtype int(32|64); a floating dtype was expected: "
        r"convert it, leave it out of argnums, or pass allow_int=True",
    ),
    "a boolean deep in a tree": (
        lambda m: m.grad(lambda t: t["x"][1])({"x": [True, 2.0]}),
        TypeError,
        r"grad: the input leaf inputs\[0\]\['x'\]\[0\] is of dtype bool; a floating dtype",
    ),
    "a string": (
        lambda m: m.grad(product)("text", 2.0),
        TypeError,
        r"grad: the input leaf inputs\[0\] is 'text' of type str; an array or a number was "
        r"expected: close over it instead of passing it",
    ),
    "an object in vjp": (
        lambda m: m.vjp(product, {1, 2}, 2.0),
        TypeError,
        r"vjp: the input leaf inputs\[0\] is \{1, 2\} of type set; an array or a number",
    ),
    "an integer in jacrev": (
        lambda m: m.jacrev(product)(3, 2.0),
        TypeError,
        r"jacrev: the input leaf inputs\[0\] is of dtype int(32|64); a floating dtype was expect",
    ),
    "argnums beyond": (
        lambda m: m.grad(product, argnums=2)(1.0, 2.0),
        TypeError,
        r"argnums=2 points beyond the 2 positional argument\(s\) that `product` was called with; "
        r"arguments to differentiate by are passed by position",
    ),
    "argnums far before": (
        lambda m: m.grad(product, argnums=(0, -3))(1.0, 2.0),
        ValueError,
        r"argnums=-3 points beyond the 2 positional",
    ),
    "argnums beyond in jacrev": (
        lambda m: m.jacrev(product, argnums=2)(1.0, 2.0),
        ValueError,
        r"argnums=2 points beyond the 2 positional",
    ),
    "argnums by keyword only": (
        lambda m: m.grad(product)(x=1.0, y=2.0),
        TypeError,
        r"argnums=0 points beyond the 0 positional argument",
    ),
    "argnums twice": (
        lambda m: m.grad(product, argnums=(0, -2))(1.0, 2.0),
        TypeError,
        r"argnums=\(0, -2\) names an argument of `product` twice; name each one once",
    ),
    "argnums a fraction": (
        lambda m: m.grad(product, argnums=0.5)(1.0, 2.0),
        TypeError,
        r"argnums must be an integer or a sequence of integers, but holds 0\.5",
    ),
    "argnums a name": (
        lambda m: m.grad(product, argnums=("x",))(1.0, 2.0),
        TypeError,
        r"argnums must be an integer or a sequence of integers, but holds 'x'",
    ),
    "an array output": (
        lambda m: m.grad(lambda x: x * 2)(X),
        TypeError,
        r"grad needs a function with a scalar output, but `<lambda>` returned an array of shape "
        r"\(3,\); sum it, or use vjp or jacrev",
    ),
    "a tree output": (
        lambda m: m.value_and_grad(pair)(1.0),
        TypeError,
        r"grad needs a function with one scalar output, but `pair` returned a tree of 2 leaves: "
        r"PyTreeDef\(\(\*, \*\)\); use vjp or jacrev, or has_aux=True",
    ),
    "a scalar in a container": (
        lambda m: m.grad(lambda x: [x])(1.0),
        TypeError,
        r"but `<lambda>` returned a tree of 1 leaves: PyTreeDef\(\[\*\]\)",
    ),
    "no output": (
        lambda m: m.grad(lambda _: None)(1.0),
        TypeError,
        r"but `<lambda>` returned a tree of 0 leaves: PyTreeDef\(None\)",
    ),
    "an integer output": (
        lambda m: m.grad(lambda _: 3)(1.0),
        TypeError,
        r"grad: the output leaf outputs is of dtype int(32|64); a floating dtype was expected",
    ),
    "a complex output": (
        lambda m: m.grad(lambda x: x * 1j)(1.0),
        TypeError,
        r"grad: the output leaf outputs is of dtype complex(64|128); a real dtype was expected: "
        r"pass holomorphic=True for a holomorphic function, or use vjp",
    ),
    "a complex output of jacrev": (
        lambda m: m.jacrev(lambda x: {"y": x * 1j})(1.0),
        TypeError,
        r"jacrev: the output leaf outputs\['y'\] is of dtype complex(64|128); a real dtype",
    ),
    "an integer output of jacrev": (
        lambda m: m.jacrev(jnp.argmax)(X),
        TypeError,
        r"jacrev: the output leaf outputs is of dtype int(32|64); a floating dtype",
    ),
    "a real input of a holomorphic function": (
        lambda m: m.grad(lambda x: x * 1j, holomorphic=True)(1.0),
        TypeError,
        r"grad: the input leaf inputs\[0\] is of dtype float(32|64); with holomorphic=True a "
        r"complex dtype was expected",
    ),
    "a real output of a holomorphic function": (
        lambda m: m.grad(jnp.abs, holomorphic=True)(COMPLEX),
        TypeError,
        r"grad: the output leaf outputs is of dtype float32; with holomorphic=True a complex",
    ),
    "aux that is no pair": (
        lambda m: m.grad(lambda x: x, has_aux=True)(1.0),
        TypeError,
        r"with has_aux=True, `<lambda>` must return a pair \(output, aux\), but returned "
        r"TapeTracer ",
    ),
    "aux of three": (
        lambda m: m.vjp(lambda x: (x, x, x), 1.0, has_aux=True),
        TypeError,
        r"with has_aux=True, `<lambda>` must return a pair \(output, aux\), but returned tuple ",
    ),
    "a vector that does not fit": (
        lambda m: (
            m.hvp(lambda x: jnp.sum(x**3), (X,), (X[:2],))
            if m is funcgrad
            else jax.jvp(jax.grad(lambda x: jnp.sum(x**3)), (X,), (X[:2],))
        ),
        ValueError,
        r"has shape \(2,\), but its primal has \(3,\)",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named(mistake: Mistake) -> None:
    make, builtin, message = mistake
    with pytest.raises(FuncgradError, match=message) as caught:
        make(funcgrad)
    assert isinstance(caught.value, builtin)
    with pytest.raises(builtin):
        make(jax)


TRANSFORMS: dict[str, Callable[..., Any]] = {
    "vjp": lambda **options: funcgrad.vjp(jnp.sin, 1.0, **options),
    "grad": lambda **options: funcgrad.grad(jnp.sin, **options),
    "value_and_grad": lambda **options: funcgrad.value_and_grad(jnp.sin, **options),
    "jacrev": lambda **options: funcgrad.jacrev(jnp.sin, **options),
    "hessian": lambda **options: funcgrad.hessian(jnp.sin, **options),
    "hvp": lambda **options: funcgrad.hvp(jnp.sin, (1.0,), (1.0,), **options),
    "tape": lambda **options: funcgrad.tape(jnp.sin, 1.0, **options),
}


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_every_transform_checks_its_options(transform: Any) -> None:
    transform(custom_rules="ignore", strong_zeros=True, checkpoints=3)
    with pytest.raises(ValueError, match='must be "honour" or "ignore", but is \'forget\''):
        transform(custom_rules="forget")
    for wrong in (0, -1, 1.5, None):
        message = f"checkpoints must be a whole number of at least 1, but is {wrong!r}"
        with pytest.raises(GradientValueError, match=re.escape(message)):
            transform(checkpoints=wrong)


def test_a_long_value_is_shortened() -> None:
    with pytest.raises(GradientTypeError) as caught:
        funcgrad.grad(product)("long" * 100, 1.0)
    assert len(str(caught.value)) < 250
    with pytest.raises(GradientTypeError) as caught:
        funcgrad.grad(lambda _: "long" * 100, has_aux=True)(1.0)
    assert re.search(r"returned str 'longlong", str(caught.value))
    assert len(str(caught.value)) < 250


def test_a_function_without_a_name_is_shown() -> None:
    nameless = functools.partial(product, y=2.0)
    with pytest.raises(ArgumentNumberError, match=r"that `functools\.partial\(<function product"):
        funcgrad.grad(nameless, argnums=1)(1.0)
    assert float(funcgrad.grad(nameless)(3.0)) == 2


def test_what_is_chosen() -> None:
    chosen = choose(product, (1,), (2.0, 5.0), {})
    assert (chosen.primals, chosen.single) == ((5.0,), False)
    assert chosen.fun(7.0) == 14
    assert chosen.fun.__name__ == "product"
    assert chosen.gather(("g",)) == ("g",)
    assert choose(product, -1, (2.0, 5.0), {}).gather(("g",)) == "g"


def test_nothing_to_differentiate_by() -> None:
    value, gradient = funcgrad.value_and_grad(product, argnums=())(2.0, 5.0)
    assert (float(value), gradient) == (10, ())
