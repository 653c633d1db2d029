"""The tests of the rules run in JAX's strict mode; they share the modules `rule_*` beside them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

# Under --import-mode=importlib pytest puts no folder of tests on the path.
sys.path.insert(0, str(Path(__file__).parent))
pytest.register_assert_rewrite("rule_points", "rule_agreement", "rule_numbers")


@pytest.fixture(scope="module", autouse=True)
def _strict(strict_jax: None) -> None:
    """Every test of this folder is one of the engine."""
