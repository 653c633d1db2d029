"""The arithmetic of ratios, and the order of turns."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcgrad.bench._measure import Ratio, in_turns, ratio, timed, turns_within

times = st.lists(st.floats(1e-3, 1.0), min_size=5, max_size=60)


@given(times)
def test_a_ratio_of_equal_times_is_one(seconds: list[float]) -> None:
    assert ratio(seconds, seconds) == Ratio(1.0, 1.0, 1.0)


@given(times, st.floats(0.1, 10.0))
def test_the_interval_encloses_the_median_and_scales(seconds: list[float], factor: float) -> None:
    found = ratio([factor * t for t in seconds], seconds)
    assert found.low <= found.median <= found.high
    assert found.median == pytest.approx(factor)


def test_the_interval_of_spread_ratios_is_wide_and_excludes_the_extremes() -> None:
    found = ratio([float(n) for n in range(1, 42)], [1.0] * 41)
    assert found.median == 21.0
    assert 10 < found.low < 16
    assert 26 < found.high < 32


def test_reaches_means_that_the_interval_begins_below_the_target() -> None:
    assert Ratio(1.1, 0.9, 1.2).reaches(1.0)
    assert not Ratio(1.1, 1.05, 1.2).reaches(1.0)


def test_competitors_take_turns_in_rotated_order() -> None:
    order: list[str] = []
    calls = {name: lambda name=name: order.append(name) for name in "abc"}
    times = in_turns(calls, turns=3, counts=dict.fromkeys(calls.values(), 1))
    assert {name: len(seconds) for name, seconds in times.items()} == {"a": 3, "b": 3, "c": 3}
    assert "".join(order) == "abcbcacab"


def test_turns_are_odd_and_bounded() -> None:
    assert turns_within(0.2, seconds=1.0) == 5
    assert turns_within(0.001, seconds=100.0) == 41
    assert turns_within(1.1, seconds=1.0) == 3
    assert turns_within(6.0, seconds=1.0) == 1


def test_a_fast_call_is_repeated() -> None:
    tried: list[None] = []

    def call() -> None:
        tried.append(None)

    assert len(timed({"a": call}, seconds=1.0, least=1e-3)["a"]) == 41
    assert len(tried) > 6 + 41


def test_of_a_single_turn_the_tries_are_used_and_a_control_is_measured_for_itself() -> None:
    tried: list[None] = []

    def call() -> None:
        tried.append(None)

    times = timed({"theirs": call, "again": call}, seconds=0.0)
    assert {name: len(seconds) for name, seconds in times.items()} == {"theirs": 1, "again": 1}
    assert times["theirs"] != times["again"]
    assert len(tried) == 6
    slow: list[None] = []

    def sleep() -> None:
        slow.append(None)
        time.sleep(0.11)

    times = timed({"ours": lambda: None, "theirs": sleep, "again": sleep}, seconds=0.01)
    assert len(slow) == 3
    assert times["theirs"][0] > 0.1 < times["again"][0]
