"""What all tests share: hypothesis profiles, and JAX in its strict mode for the engine's tests.

The suite runs with 64-bit numbers if the environment has JAX_ENABLE_X64=1, which JAX reads itself.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import jax
import pytest
from hypothesis import HealthCheck, settings

import funcgrad
from funcgrad import _registry
from funcgrad._jaxcompat import Primitive

_COUNT = "count"
# Tests that start processes of their own, and take minutes: no worker is to be left alone with one.
_FIRST = {"parallel", "train", "notebooks", "examples"}

# The same examples at every run, and few: on a fresh shape JAX compiles.
settings.register_profile("ci", max_examples=12, derandomize=True, deadline=None)
settings.register_profile(
    "thorough", max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
# pytest's --hypothesis-profile is read after this and wins.
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture
def count(request: pytest.FixtureRequest) -> Callable[[str, int], None]:
    """A function that puts how many cases a test went through into the summary of the session."""
    return lambda name, number: request.node.user_properties.append((_COUNT, (name, number)))


def pytest_configure(config: pytest.Config) -> None:
    """Workers take the files in the order of the tests, and not those with the most tests first."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long ones first; the many short ones then fill the time of both workers."""
    items.sort(key=lambda item: _FIRST.isdisjoint(item.path.parts))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what was counted, by whichever process."""
    counts: Counter[str] = Counter()
    for report in terminalreporter.getreports("passed"):
        for key, value in report.user_properties:
            if key == _COUNT and report.when == "call":
                name, number = value
                counts[name] += number
    if counts:
        terminalreporter.section("what the tests went through")
        for name, number in counts.items():
            terminalreporter.line(f"{number:8,} {name}")


@pytest.fixture(scope="module")
def strict_jax() -> Iterator[None]:
    """JAX refuses to promote dtypes and ranks silently.

    Tests of the engine ask for it, by ``pytestmark = pytest.mark.usefixtures("strict_jax")`` or by
    an autouse fixture of their folder; Flax and Optax rely on promotion, so their tests do not.
    """
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        yield


@pytest.fixture
def scaled(monkeypatch: pytest.MonkeyPatch) -> Primitive:
    """A primitive of a user's, the identity, whose rule says something else for each `kind`."""
    monkeypatch.setattr(_registry, "_RULES", dict(_registry._RULES))
    primitive = Primitive("scaled")
    primitive.def_impl(lambda x, **_: x)
    primitive.def_abstract_eval(lambda x, **_: x)
    scales = {"1": 2.0, "True": 3.0, "0.0": 5.0, "-0.0": 7.0, "(0.0,)": 11.0, "(-0.0,)": 13.0}
    funcgrad.register_vjp(
        primitive, lambda ct, _y, _x, *, kind: ct * ct.dtype.type(scales[repr(kind)])
    )
    return primitive
