"""The files of findings fail while the defect is there, and pass without it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from funcgrad.search._saved import _COMPUTED, file_text
from funcgrad.search._verdicts import Disagreement
from tests.search.small import custom, program

GRADIENT = [np.cos([0.5, -1.0])]
SECOND = [-np.sin([0.5, -1.0]) * np.array([1.0, 2.0])]
ALONG = [np.array([1.0, 2.0])]
SLOPE = float(np.cos(0.5) + 2 * np.cos(-1.0))
EXPECTED: dict[str, Any] = {
    "gradient": GRADIENT,
    "gradient in its own precision": GRADIENT,
    "gradient under jit": GRADIENT,
    "gradient eagerly": GRADIENT,
    "gradient under vmap": GRADIENT,
    "gradient by strong_zeros": GRADIENT,
    "forward derivative": SLOPE,
    "forward over reverse": SECOND,
    "second derivative": SECOND,
}


@pytest.fixture(autouse=True)
def narrow_again() -> Iterator[None]:
    """A file may switch on 64-bit numbers."""
    before = bool(jax.config.jax_enable_x64)
    yield
    jax.config.update("jax_enable_x64", before)


def passes(text: str) -> bool:
    namespace: dict[str, Any] = {}
    exec(text, namespace)
    (test,) = [value for name, value in namespace.items() if name.startswith("test_")]
    try:
        test()
    except AssertionError:
        return False
    return True


def text(what: str, expected: Any, kind: str = "wrong", who: str = "ours") -> str:
    second = "second" in what or "forward" in what
    one = Disagreement(who, kind, what, "seen", expected, ALONG if second else None)
    return file_text(program("sin", weighed=False).source(), one, 1, 2, "float32")


@pytest.mark.parametrize("what", EXPECTED)
def test_a_file_passes_with_the_right_numbers_and_fails_with_wrong_ones(what: str) -> None:
    right = EXPECTED[what]
    wrong = right * 1.01 if isinstance(right, float) else [1.01 * leaf for leaf in right]
    assert passes(text(what, right))
    assert not passes(text(what, wrong))


def test_a_slope_a_type_and_a_value() -> None:
    one = Disagreement("both", "wrong", "gradient", "seen", SLOPE, ALONG)
    source = program("sin", weighed=False).source()
    assert passes(file_text(source, one, 1, 2, "float32"))
    assert not passes(file_text(source, one._replace(expected=1.0), 1, 2, "float32"))
    assert passes(text("gradient", None, "dtype"))
    assert passes(text("value", None, "unstable"))
    assert passes(text("value", None, "crash", "value"))
    assert passes(text("value under jit", None))


def test_symmetry() -> None:
    what = "symmetry of the second derivative"
    assert passes(text(what, None))
    lopsided = custom("jnp.cos(x) * jnp.cumsum(x)")
    one = Disagreement("both", "wrong", what, "seen", None, ALONG)
    assert not passes(file_text(program(lopsided).source(), one, 1, 2, "float32"))


def test_every_quantity_has_a_file() -> None:
    known = {
        *EXPECTED,
        "value",
        "value under jit",
        "value eagerly",
        "symmetry of the second derivative",
    }
    assert known == set(_COMPUTED)


def test_a_file_runs_under_pytest(tmp_path: Path) -> None:
    (tmp_path / "test_right.py").write_text(text("gradient", GRADIENT))
    (tmp_path / "test_wrong.py").write_text(text("second derivative", GRADIENT))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "1 failed, 1 passed" in done.stdout
    assert "test_wrong.py::test_second_derivative" in done.stdout
