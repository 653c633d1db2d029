"""Checksums: the same however an array lies, and other for every other array."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

from funcgrad.train.checkpoints.integrity import checksums, digest

DTYPES = [jnp.float32, jnp.bfloat16, jnp.float16, jnp.int32, jnp.int8, jnp.bool_, jnp.complex64]


def checksum(array: object) -> str:
    return checksums({"a": jnp.asarray(array)})["a"]


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
def test_every_entry_counts(dtype: Any) -> None:
    array = jnp.zeros((2, 3), dtype)
    seen = {checksum(array)} | {
        checksum(array.at[i, j].set(jnp.ones((), dtype))) for i in range(2) for j in range(3)
    }
    assert len(seen) == 7


@given(st.lists(st.integers(0, 2**32 - 1), min_size=2, max_size=8), st.data())
def test_a_flipped_bit_or_a_swap_is_seen(words: list[int], data: st.DataObject) -> None:
    array = np.array(words, np.uint32)
    place, bit = data.draw(st.integers(0, len(words) - 1)), data.draw(st.integers(0, 31))
    flipped = array.copy()
    flipped[place] ^= np.uint32(1 << bit)
    assert checksum(flipped) != checksum(array)
    swapped = array[::-1].copy()
    assert (checksum(swapped) == checksum(array)) == bool((swapped == array).all())


def test_not_a_number_and_minus_zero_are_bits_like_others() -> None:
    assert checksum(np.array([np.nan])) == checksum(np.array([np.nan]))
    assert checksum(np.array([0.0])) != checksum(np.array([-0.0]))


def test_wide_numbers_count_with_all_their_bits() -> None:
    with jax.enable_x64(True):
        one, other = (checksums({"a": jnp.float64(x)})["a"] for x in (1.0, 1.0 + 2.0**-52))
    assert one != other


def test_an_empty_array_has_a_checksum() -> None:
    assert len(checksum(np.empty(0, np.float32))) == 16


@given(st.dictionaries(st.text(max_size=3), st.floats(allow_nan=False), max_size=3))
def test_a_digest_does_not_depend_on_the_order(record: dict[str, float]) -> None:
    assert digest(dict(reversed(record.items()))) == digest(record)
    assert digest(record | {"more": 1}) != digest(record)
