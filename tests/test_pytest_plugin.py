"""The pytest plugin: fixture, marker, options, messages; and JAX is imported only when needed."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import funcgrad
from funcgrad import pytest_plugin

ROOT = Path(__file__).parents[1]
HEAD = """
import jax, jax.numpy as jnp, pytest

@jax.custom_vjp
def bad(x, scale=1.0):
    return x * x
bad.defvjp(lambda x, scale=1.0: (x * x, x), lambda x, ct: (x * ct, 0.0 * jnp.sum(ct)))

def corner(x):
    return jnp.abs(x)
"""


def outcome(folder: Path, text: str, *options: str, ini: str = "") -> tuple[int, str]:
    """A session of its own on one file of tests: its exit code and what it printed."""
    (folder / "test_it.py").write_text(text)
    (folder / "pytest.ini").write_text(f"[pytest]\naddopts = --strict-markers\n{ini}\n")
    command = [sys.executable, "-m", "pytest", "-p", "funcgrad.pytest_plugin", "-p",
               "no:cacheprovider", "-q", "--color=no", *options, "."]  # fmt: skip
    done = subprocess.run(
        command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True,
        text=True, check=False, timeout=120,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_a_failing_test_shows_the_report_and_a_reproducer(tmp_path: Path) -> None:
    text = (
        HEAD
        + """
def test_good(gradcheck):
    assert gradcheck(jnp.sin, 0.5).verdict == "right"

@pytest.mark.gradcheck(order=1)
def test_bad(gradcheck):
    gradcheck(bad, jnp.ones(3), seed=3)
"""
    )
    code, said = outcome(tmp_path, text)
    assert code == 1
    assert "1 failed, 1 passed" in said
    assert "bad: the derivatives are WRONG" in said
    line = text.splitlines().index("    gradcheck(bad, jnp.ones(3), seed=3)") + 1
    assert f"called at {tmp_path / 'test_it.py'}:{line}\n" in said
    assert "print(funcgrad.check(bad, x, order=1, seed=3))" in said
    assert "\nx = jnp.ones(3, 'float32')\n" in said  # at the left edge, to be copied
    assert "Traceback" not in said
    assert "pytest_plugin.py" not in said
    assert "FAILED test_it.py::test_bad - Failed: bad: the derivatives are WRONG" in said


def test_what_is_inconclusive_fails_too(tmp_path: Path) -> None:
    code, said = outcome(tmp_path, HEAD + "def test_it(gradcheck):\n    gradcheck(jnp.log, -1.0)\n")
    assert code == 1
    assert "not decided whether the derivatives are right" in said


def test_options_come_from_the_nearest_place(tmp_path: Path) -> None:
    text = (
        HEAD
        + """
def test_session(gradcheck):
    assert gradcheck.options == {"order": 1, "seed": 4, "kinks": "fail"}

@pytest.mark.gradcheck(seed=5, kinks="pass")
class TestClass:
    @pytest.mark.gradcheck(seed=6)
    def test_marked(self, gradcheck):
        report = gradcheck(corner, 0.0, order=2)
        assert (report.seed, report.order, report.verdict) == (6, 2, "kink")
"""
    )
    ini = "gradcheck_order = 2\ngradcheck_seed = 4\ngradcheck_kinks = fail"
    code, said = outcome(tmp_path, text, "--gradcheck-order=1", ini=ini)
    assert code == 0, said


def test_keywords_of_the_function_are_passed_on(tmp_path: Path) -> None:
    code, said = outcome(
        tmp_path, HEAD + "def test_it(gradcheck):\n    gradcheck(bad, jnp.ones(2), scale=2.0)\n"
    )
    assert code == 1
    assert "funcgrad.check(bad, x, scale=scale)" in said


def test_drawn_arguments(tmp_path: Path) -> None:
    code, said = outcome(tmp_path, HEAD + """
def test_good(gradcheck):
    gradcheck.over(jnp.sin, jnp.ones(2), max_examples=3)
    gradcheck.over(lambda x, y: x * y, jnp.ones(2), jnp.ones(2), max_examples=2, order=1)

def test_bad(gradcheck):
    gradcheck.over(bad, (jnp.ones(2),), max_examples=3, max_shrinks=3, order=1)
""")  # fmt: skip
    assert code == 1
    assert "1 failed, 1 passed" in said
    assert "This repeats it:" in said
    assert "funcgrad.check(bad, x, points='given', order=1)" in said


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("@pytest.mark.gradcheck(1)", [], "takes options by name, as in gradcheck(order=1), but"),
        ("@pytest.mark.gradcheck(ordr=1)", [], "has the option 'ordr'; there are gradient, order"),
        ("@pytest.mark.gradcheck(ordr=1)", [], "; did you mean 'order'?"),
        ("@pytest.mark.gradcheck(order=3)", [], "order must be 1 or 2, but is 3"),
        ("", ["--gradcheck-order=two"], "--gradcheck-order: the highest order"),
        ("", ["--gradcheck-kinks=maybe"], "kinks must be one of 'pass', 'fail'"),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, text: str, options: list[str], words: str) -> None:
    test = f"{HEAD}\n{text}\ndef test_it(gradcheck):\n    gradcheck(jnp.sin, 1.0)\n"
    code, said = outcome(tmp_path, test, *options)
    assert code != 0
    assert words in said
    # The mistake is the user's: no line of ours, and of theirs the call.
    assert "pytest_plugin.py" not in said
    assert "verify/_check.py" not in said


# --- lazily ---------------------------------------------------------------------------------------


def test_jax_is_not_imported_before_the_fixture_is_called(tmp_path: Path) -> None:
    code, said = outcome(tmp_path, """
import sys

def test_before(gradcheck):
    assert not {"jax", "jaxlib", "numpy", "hypothesis.strategies"} & set(sys.modules)

def test_after(gradcheck):
    gradcheck(lambda x: x * x, 1.0)
    assert "jax" in sys.modules
""", "-p", "no:hypothesispytest")  # fmt: skip
    assert code == 0, said


def test_the_marker_and_the_options_are_described(tmp_path: Path) -> None:
    assert "@pytest.mark.gradcheck(order=2" in outcome(tmp_path, "", "--markers")[1]
    said = outcome(tmp_path, "", "--help")[1]
    assert "--gradcheck-seed" in said
    assert "gradcheck_seed" in said


def test_without_the_plugin_the_marker_is_unknown(tmp_path: Path) -> None:
    test = "import pytest\n@pytest.mark.gradcheck(order=1)\ndef test_it():\n    pass\n"
    assert outcome(tmp_path, test)[0] == 0
    code, said = outcome(tmp_path, test, "-p", "no:funcgrad.pytest_plugin")
    assert code != 0
    assert "'gradcheck' not found in `markers`" in said


def test_the_options_are_those_of_check() -> None:
    parameters = inspect.signature(funcgrad.check).parameters.values()
    names = {p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}
    assert set(pytest_plugin.OPTIONS) == names


def test_the_entry_point_is_named_as_the_module() -> None:
    metadata = (ROOT / "pyproject.toml").read_text()
    assert '"funcgrad.pytest_plugin" = "funcgrad.pytest_plugin"' in metadata
