"""The listed failures of JAX are still there; a mended one is noticed."""

from __future__ import annotations

import jax
import pytest

from tests.search.jax_crashes import CRASHES, Crash

HERE = [crash for crash in CRASHES if crash.platform == jax.default_backend()]


def _is_mended(crash: Crash) -> bool:
    mine, until = (
        tuple(int(part) for part in text.split(".")[:2]) for text in (jax.__version__, crash.until)
    )
    return mine >= until


@pytest.mark.parametrize("crash", HERE, ids=lambda crash: crash.name)
def test_it_still_fails_and_the_same_runs_uncompiled(crash: Crash) -> None:
    jax.block_until_ready(crash.same(*crash.arguments))
    if crash.until and _is_mended(crash):
        jax.block_until_ready(crash.function(*crash.arguments))
        return
    with pytest.raises(jax.errors.JaxRuntimeError, match=crash.message):
        jax.block_until_ready(crash.function(*crash.arguments))
