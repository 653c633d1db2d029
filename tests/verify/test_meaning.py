"""What an error means: a planted pattern is named, and noise is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcgrad.verify._devices import Devices
from funcgrad.verify._meaning import meaning

Array = Any
SEEDS = st.integers(0, 2**32 - 1)
SHAPES = st.sampled_from([(7,), (4, 4), (3, 5), (2, 3, 3), (40,)])
SMALL = st.sampled_from([(), (1,), (2,), (3, 2)])
NOISES = st.sampled_from([0.0, 1e-12, 1e-8, 1e-6])


def draw(seed: int, shape: tuple[int, ...], imaginary: bool = False) -> tuple[Array, Array]:
    """A derivative and a point, neither with zeros."""
    generator = np.random.default_rng(seed)

    def values() -> Array:
        sizes = np.exp(generator.uniform(-2, 2, shape))
        return sizes * generator.choice([-1.0, 1.0], shape)

    right, x = values(), values()
    return (right + 1j * values(), x + 1j * values()) if imaginary else (right, x)


def noisy(seed: int, values: Array, noise: float) -> Array:
    generator = np.random.default_rng(seed + 1)
    return values * (1 + noise * generator.normal(size=np.shape(values)))


# Each takes the derivative and the point, and says what the words are to hold.
WHOLE: dict[str, tuple[Callable[[Array, Array], Array], str]] = {
    "zero": (lambda g, _: 0 * g, "this argument's gradient is dropped"),
    "sign": (lambda g, _: -g, "opposite sign in every entry"),
    "twice": (lambda g, _: 2 * g, "factor 2 in every entry: a missing 1/2"),
    "half": (lambda g, _: g / 2, "factor 0.5 in every entry: a missing factor 2"),
    "twice and sign": (lambda g, _: -2 * g, "opposite sign, and a missing 1/2"),
    "pi": (lambda g, _: np.pi * g, "a factor pi too many"),
    "log2": (lambda g, _: g * np.log(2), "factor 0.6931 in every entry: a factor ln 2 too many"),
    "log10": (lambda g, _: g / np.log(10), "a factor ln 10 is missing"),
    "degrees": (lambda g, _: g * 180 / np.pi, "degrees"),
    "slightly": (lambda g, _: g * 1.0003, "factor 1.0003 in every entry: a constant that is"),
    "some factor": (lambda g, _: g * 1.37, "factor 1.37 in every entry"),
    "sum for mean": (lambda g, _: g * g.size, "a sum instead of a mean over all"),
    "mean for sum": (lambda g, _: g / g.size, "a mean instead of a sum over all"),
    "x": (lambda g, x: g * x, "factor x in every entry"),
    "1/x": (lambda g, x: g / x, "the chain rule's factor x is missing"),
    "x squared": (lambda g, x: g * x**2, "factor x**2 in every entry"),
    "minus x": (lambda g, x: -g * x, "factor -x in every entry"),
    "offset": (lambda g, _: g + 0.5, "constant offset +0.5 in every entry"),
    "penalty": (lambda g, x: g + 0.2 * x, "off by 0.2 x in every entry"),
    "reversed": (lambda g, _: np.flip(g, -1), "reversed"),
    "shifted": (lambda g, _: np.roll(g, 1, -1), "shifted by 1"),
    "nan": (lambda g, _: np.nan * g, "NaN in every entry"),
}


@pytest.mark.parametrize(("plant", "words"), WHOLE.values(), ids=WHOLE)
@given(seed=SEEDS, shape=SHAPES, noise=st.sampled_from([0.0, 1e-12, 1e-8]))
def test_an_error_of_every_entry_is_named(
    plant: Callable[[Array, Array], Array],
    words: str,
    seed: int,
    shape: tuple[int, ...],
    noise: float,
) -> None:
    right, x = draw(seed, shape)
    found = meaning(right, noisy(seed, plant(right, x), noise), x)
    assert words in found


PARTS: dict[str, tuple[Callable[[Array], Array], str]] = {
    "negative": (lambda x: x < 0, "only entries with x < 0"),
    "positive": (lambda x: x > 0, "only entries with x > 0"),
    "large": (lambda x: np.abs(x) > 2, "only entries with |x| > "),
    "above": (lambda x: x > 1.5, "only entries with x > "),
    "one": (lambda x: np.arange(x.size).reshape(x.shape) == 5, "only one entry, ["),
    "first": (lambda x: np.arange(x.size).reshape(x.shape) == 0, "only the first entry"),
    "last": (lambda x: np.arange(x.size).reshape(x.shape) == x.size - 1, "the last entry"),
    "first row": (lambda x: np.indices(x.shape)[0] == 0, "the first row"),
    "last column": (lambda x: np.indices(x.shape)[1] == x.shape[1] - 1, "the last column"),
    "diagonal": (lambda x: np.equal(*np.indices(x.shape)), "the diagonal"),
    "triangle": (lambda x: np.less(*np.indices(x.shape)), "entries above the diagonal"),
}
THERE: dict[str, tuple[Callable[[Array], Array], str]] = {
    "zero": (lambda g: 0 * g, "zero there"),
    "sign": (lambda g: -g, "opposite sign there"),
    "twice": (lambda g: 2 * g, "factor 2 there (a missing 1/2?)"),
    "nan": (lambda g: np.nan * g, "NaN there"),
}


@pytest.mark.parametrize(("fault", "there"), THERE.values(), ids=THERE)
@pytest.mark.parametrize(("part", "words"), PARTS.values(), ids=PARTS)
@given(seed=SEEDS)
def test_an_error_of_some_entries_is_placed(
    part: Callable[[Array], Array],
    words: str,
    fault: Callable[[Array], Array],
    there: str,
    seed: int,
) -> None:
    right, x = draw(seed, (6, 6))
    x.flat[8:12] = [3.0, -3.0, 4.0, -4.0]  # so that no other words say the same
    found = meaning(right, np.where(part(x), fault(right), right), x)
    assert words in found
    assert there in found


def test_ties_and_zeros_of_the_point_are_named() -> None:
    right = np.asarray([1.0, 2.0, 3.0, 4.0, 5.0])
    x = np.asarray([0.0, 2.0, 3.0, 0.0, -1.0])
    assert "x == 0" in meaning(right, np.where(x == 0, 0, right), x)
    x = np.asarray([1.0, 7.0, 3.0, 7.0, 2.0])
    assert "with ties" in meaning(right, np.where(x == 7, right / 2, right), x)
    y = np.asarray([1.0, 0.0, 3.0, 9.0, 0.0])
    found = meaning(right, np.where(x == y, 0, right), x, [(right**2, right**2, y)])
    assert "only entries equal to those of another argument, of shape (5,)" in found


@given(seed=SEEDS, size=st.integers(3, 6))
def test_a_transpose_is_named(seed: int, size: int) -> None:
    right, x = draw(seed, (size, size))
    assert meaning(right, right.T, x) == "transposed"
    wide = right[:2]
    assert "a reshape for a transpose" in meaning(wide, wide.T.reshape(wide.shape), x[:2])


@given(seed=SEEDS)
def test_a_lost_permutation_is_named(seed: int) -> None:
    right, x = draw(seed, (9,))
    order = [3, 0, 7, 5, 1, 8, 2, 6, 4]
    assert "a permutation" in meaning(right, right[order], x)


@given(seed=SEEDS, shape=SHAPES)
def test_errors_of_complex_numbers_are_named(seed: int, shape: tuple[int, ...]) -> None:
    right, z = draw(seed, shape, imaginary=True)
    assert "off by conj" in meaning(right, right.conj(), z)
    assert "off by a factor i " in meaning(right, 1j * right, z)
    assert "off by a factor -i " in meaning(right, -1j * right, z)
    assert "the real part only" in meaning(right, right.real + 0j, z)
    assert "opposite sign" in meaning(right, -right, z)
    assert "factor 2" in meaning(right, 2 * right, z)


@given(seed=SEEDS, shape=SHAPES)
def test_swapped_arguments_are_named(seed: int, shape: tuple[int, ...]) -> None:
    a, x = draw(seed, shape)
    b, y = draw(seed + 7, shape)
    assert "swapped with the gradient of another argument" in meaning(a, b, x, [(b, a, y)])
    assert "this is the gradient of another argument" in meaning(a, b, x, [(b, b, y)])


@given(seed=SEEDS)
def test_what_was_not_summed_is_named(seed: int) -> None:
    each, x = draw(seed, (5, 3))
    other = (each, each, x)
    found = meaning(each.sum(0), each[0], x[0], [other])
    assert found == "not summed over broadcast axis 0: only its first entry"
    found = meaning(each.sum(1, keepdims=True), each[:, -1:], x[:, :1], [other])
    assert found == "not summed over broadcast axis 1: only its last entry"
    found = meaning(each.sum(0), each.mean(0), x[0], [other])
    assert "a mean instead of a sum over axis 0 of another argument" in found
    assert "the sum along axis 0" in meaning(each, 0 * each + each.sum(0), x)


def test_a_gradient_of_what_is_not_used_is_named() -> None:
    assert "where there is none" in meaning([0.0, 0.0], [1.0, 3.0], [4.0, 5.0])


# --- silence --------------------------------------------------------------------------------------


@given(seed=SEEDS, shape=st.one_of(SHAPES, SMALL), noise=NOISES, imaginary=st.booleans())
def test_noise_means_nothing(
    seed: int, shape: tuple[int, ...], noise: float, imaginary: bool
) -> None:
    right, x = draw(seed, shape, imaginary)
    other = draw(seed + 9, shape, imaginary)
    assert not meaning(right, noisy(seed, right, noise), x, [(other[0], *other)])


@given(seed=SEEDS, shape=st.one_of(SHAPES, SMALL), imaginary=st.booleans())
def test_an_error_without_a_pattern_means_nothing(
    seed: int, shape: tuple[int, ...], imaginary: bool
) -> None:
    right, x = draw(seed, shape, imaginary)
    found = meaning(right, draw(seed + 5, shape, imaginary)[0], x)
    # A single number has some factor, which may happen to be a known one, or the other sign.
    assert not found or np.size(right) == 1


@given(seed=SEEDS)
def test_wrong_entries_stand_out_of_half_precision(seed: int) -> None:
    right, x = draw(seed, (30,))
    x[:4] = [3.0, -3.0, 4.0, -4.0]
    received = noisy(seed, np.where(x < 0, -right, right), 1e-4)
    assert meaning(right, received, x) == "only entries with x < 0: opposite sign there"


@given(seed=SEEDS, noise=st.sampled_from([1e-3, 1e-2]))
def test_what_is_allowed_is_no_error(seed: int, noise: float) -> None:
    right, x = draw(seed, (12,))
    received, allowed = noisy(seed, right, noise), 6 * noise * np.abs(right)
    assert not meaning(right, received, x, allowed=allowed)
    received[7] *= 2
    assert "only one entry, [7]" in meaning(right, received, x, allowed=allowed)


def test_a_tiny_entry_is_found_where_noise_is_known() -> None:
    right = np.asarray([1.0, 1e-18, 2.0, 3.0])
    received = np.asarray([1.0, 2e-18, 2.0, 3.0])
    found = meaning(right, received, [4.0, 5.0, 6.0, 7.0], allowed=1e-9 * right)
    assert found.startswith("only one entry, [1]: factor 2")


@pytest.mark.parametrize(
    ("expected", "received"),
    [([], []), ([1.0, 2.0], [1.0]), ([np.nan, 1.0], [1.0, 1.0]), ([0.0, 0.0], [0.0, 0.0])],
    ids=["empty", "shapes differ", "expected NaN", "zeros"],
)
def test_what_cannot_be_compared_means_nothing(
    expected: list[float], received: list[float]
) -> None:
    assert not meaning(expected, received, np.ones(len(expected)))


DEVICES = Devices({"data": 4, "model": 2, "one": 1}).sizes


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (4.0, "factor 4 in every entry: the size of the mesh axis 'data': was the sum over it tak"),
        (8.0, "factor 8 in every entry: the product of the sizes of the mesh axes 'data', 'model'"),
        (0.25, "factor 0.25 in every entry: 1 divided by the size of the mesh axis 'data': was th"),
        (-2.0, "factor -2 in every entry: opposite sign, and the size of the mesh axis 'model': w"),
    ],
)
def test_the_size_of_a_mesh_axis_is_named(factor: float, words: str) -> None:
    right, x = draw(3, (5,))
    assert meaning(right, factor * right, x, devices=DEVICES).startswith(words)
    assert "mesh" not in meaning(right, factor * right, x)
    assert meaning(2.0, 2.0 * factor, 1.0, devices=DEVICES).startswith(words)


@pytest.mark.parametrize("factor", [3.0, 1.5, -1.0, 1 + 1e-3, 0.0])
def test_another_factor_is_no_matter_of_the_mesh(factor: float) -> None:
    right, x = draw(3, (5,))
    assert "mesh" not in meaning(right, factor * right, x, devices=DEVICES)
