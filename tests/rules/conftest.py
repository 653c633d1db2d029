"""The tests of the rules run in JAX's strict mode; they share the modules `rule_*` beside them."""

from __future__ import annotations

import pytest

for _module in ("rule_points", "rule_agreement", "rule_numbers", "rule_faults"):
    pytest.register_assert_rewrite(f"tests.rules.{_module}")


@pytest.fixture(scope="module", autouse=True)
def _strict(strict_jax: None) -> None:
    """Every test of this folder is one of the engine."""
