"""Functions and arguments named on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from funcgrad._errors import ConfigurationError
from funcgrad._target import load_arguments, load_function, parse_arguments


@pytest.fixture(name="script")
def a_script(tmp_path: Path) -> Path:
    path = tmp_path / "losses_of_a_user.py"
    path.write_text(
        "import neighbour_of_a_user\n"
        "def loss(x):\n    return neighbour_of_a_user.square(x)\n"
        "class Model:\n    @staticmethod\n    def apply(x):\n        return x\n"
        "point = (1.0, 2.0)\n"
        "def make():\n    return 3.0\n"
        "number = 5\n"
    )
    (tmp_path / "neighbour_of_a_user.py").write_text("def square(x):\n    return x * x\n")
    return path


def test_a_function_of_a_file_or_a_module(script: Path) -> None:
    assert load_function(f"{script}:loss")(3.0) == 9.0
    assert load_function(f"{script}:Model.apply")(3.0) == 3.0
    assert load_function("math:sqrt")(4.0) == 2.0


def test_arguments_of_a_file(script: Path) -> None:
    assert load_arguments(f"{script}:point") == (1.0, 2.0)
    assert load_arguments(f"{script}:make") == (3.0,)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("loss", r"'loss' does not name a function; MODULE:FUNCTION or FILE\.py:FUNCTION"),
        ("nowhere.py:loss", r"there is no file nowhere\.py"),
        ("no_such_module_at_all:loss", r"module no_such_module_at_all cannot be imported: Module"),
        ("math:squirt", r"math has no 'squirt'; it has .*sqrt"),
        ("math:pi", r"math:pi names float 3\.14\d*; a function was expected"),
    ],
)
def test_what_is_not_there_is_said(target: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load_function(target)


def test_a_file_that_raises_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "broken_file_of_a_user.py"
    path.write_text("x = 1\ny = x / 0\n")
    with pytest.raises(ConfigurationError, match=r"ZeroDivisionError: .*broken_file.*\.py:2"):
        load_function(f"{path}:f")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.0, 2", (1.0, 2)),
        ("", ()),
        ("[1.0, 2.0]", (jnp.array([1.0, 2.0]),)),
        ('{"w": [[1, 2]], "b": None}, (1, [2])', ({"w": jnp.array([[1, 2]]), "b": None}, (1, [2]))),
        ("-1e-3", (-0.001,)),
        ("inf, [1.0, -inf]", (float("inf"), jnp.array([1.0, -jnp.inf]))),
    ],
)
def test_arguments_as_text(text: str, expected: Any) -> None:
    found = parse_arguments(text)
    assert len(found) == len(expected)
    for mine, other in zip(found, expected, strict=True):
        if isinstance(mine, dict):
            assert mine["b"] is None
            np.testing.assert_array_equal(mine["w"], other["w"])
        elif isinstance(mine, tuple):
            np.testing.assert_array_equal(mine[1], other[1])
        else:
            np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("text", ["1.0,, 2", "f(2)", "__import__('os')", "[1, [2]]"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="--args"):
        parse_arguments(text)
