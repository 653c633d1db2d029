"""The tests of this folder share the modules `cases` and `healthy`."""

from __future__ import annotations

import jax
import pytest

for _module in ("cases", "healthy"):
    pytest.register_assert_rewrite(f"tests.diagnosis.{_module}")

# What overflows and what saturates here does so in float32, and Flax's cells mix the two widths.
collect_ignore_glob = ["*.py"] if jax.config.jax_enable_x64 else []
