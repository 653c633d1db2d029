"""What an error means that shows under several cotangents: each guess, and when there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from funcgrad.verify._meaning_cotangent import of_cotangents

C = np.array([1.0, 1.5, 2.0**20, 2.0**-20, -1.0, 0.0, 0.25])
RIGHT = 3 * C
RULES: dict[str, tuple[Any, str]] = {
    "ignores it": (np.full(7, 3.0), "does not change with the cotangent: is it left out"),
    "clips it": (3 * np.clip(C, -0.5, 0.5), "saturates in the cotangent, at 1.5: clipped?"),
    "clips the result": (np.clip(RIGHT, -2, 2), "saturates in the cotangent, at 2: clipped?"),
    "its sign": (3 * np.sign(C), "only the sign of the cotangent counts"),
    "twice": (3 * C * C, "grows as the square of the cotangent: multiplied by it twice?"),
    "adds": (RIGHT + 5, "a term that does not change with the cotangent is added"),
    "a factor": (2 * RIGHT, ""),
    "another sign": (-RIGHT, ""),
    "nothing": (0 * RIGHT, ""),
    "the absolute value": (np.abs(RIGHT), ""),
    "right": (RIGHT, ""),
    "saturates softly": (np.tanh(RIGHT), ""),
    "one is off": (RIGHT + (np.arange(7) == 1), ""),
}  # fmt: skip


@pytest.mark.parametrize("name", RULES)
def test_what_a_rule_does_with_the_cotangent(name: str) -> None:
    received, words = RULES[name]
    said = of_cotangents(RIGHT, received)
    assert words in said
    assert bool(words) == bool(said)


def test_of_complex_numbers() -> None:
    turned = (1 + 2j) * RIGHT
    assert "left out of the rule" in of_cotangents(turned, np.full(7, 1 + 2j))
    assert not of_cotangents(turned, 1j * turned)


def test_of_few_or_broken_numbers_nothing_is_said() -> None:
    assert not of_cotangents(RIGHT[:2], [3.0, 3.0])
    assert not of_cotangents(RIGHT, [np.nan, *RIGHT[1:]])
    assert not of_cotangents(np.full(7, 3.0), np.full(7, 4.0))  # under one cotangent, seven times


def test_what_is_allowed_is_no_error() -> None:
    off = RIGHT * (1 + 1e-3)
    assert not of_cotangents(RIGHT, off, np.abs(RIGHT))
    held = np.clip(RIGHT, -2, 2) * (1 + 1e-7)
    assert "at 2" in of_cotangents(RIGHT, held, 1e-5 * np.abs(RIGHT))
