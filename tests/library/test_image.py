"""Every function of `jax.image`, by every method, against `jax.grad`."""

from __future__ import annotations

from typing import Any

import jax.image
import numpy as np
import pytest

from tests.library.library_calls import (
    Call,
    M,
    N,
    assert_complete,
    call,
    calls_of,
    compare,
    public_functions,
)

SMOOTH = [m for m in jax.image.ResizeMethod if m is not jax.image.ResizeMethod.NEAREST]
IMAGE = np.stack([M, N], axis=-1)
SCALE, TRANSLATION = np.array([1.4, 0.8]), np.array([0.3, -0.2])


def _antialiases(method: jax.image.ResizeMethod) -> bool:
    return method.name != "CUBIC_PYTORCH"


TABLE: dict[str, Any] = {
    "resize": (
        *(call(IMAGE, (3, 5, 2), m, antialias=_antialiases(m)) for m in jax.image.ResizeMethod),
        call(IMAGE, (1, 2, 2), "linear", antialias=False),
        call(IMAGE, (3, 5, 2), "cubic", times=2, adapt=lambda f: lambda x, *a: f(x * x, *a)),
    ),
    "scale_and_translate": tuple(
        call(IMAGE, (3, 4, 2), (0, 1), SCALE, TRANSLATION, m, factor=10, antialias=_antialiases(m))
        for m in SMOOTH
    ),
}


@pytest.mark.parametrize(("function", "one"), calls_of(TABLE, jax.image))
def test_our_gradient_is_that_of_jax(function: Any, one: Call) -> None:
    compare(function, one)


def test_no_function_is_left_out() -> None:
    assert_complete(TABLE, {}, public_functions(jax.image))
    assert len(SMOOTH) >= 4
