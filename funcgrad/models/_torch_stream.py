"""The numbers that PyTorch draws on a CPU, without PyTorch.

PyTorch's CPU generator is a Mersenne Twister (Matsumoto and Nishimura, 1998), the generator of
`numpy.random.RandomState`, so a seed gives both the same 32-bit words. What remains is how words
become floats. Uniform numbers are PyTorch's to the bit. Normal numbers pass through a logarithm, a
sine and a cosine, whose last bits depend on the processor in PyTorch itself: from 16 numbers on
they agree to a few units in the last place.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from funcgrad._errors import GradientValueError
from funcgrad.models._checks import integer, integer_from

Floats = NDArray[np.float32]

_BLOCK = 16  # PyTorch fills normal numbers in blocks of this size
_LEAST_SEED, _LARGEST_SEED = -(2**63), 2**64 - 1


def uniforms(seed: int, count: int) -> Floats:
    """Draw what `torch.manual_seed(seed); torch.rand(count)` draws, to the bit.

    Args:
        seed: an integer from -2**63 to 2**64 - 1, the domain of `torch.manual_seed`. As there,
            only its lowest 32 bits count, a negative one being read modulo 2**64.
        count: how many numbers, 0 or more.

    Returns:
        float32 numbers in [0, 1), shape `(count,)`. Fewer numbers are a prefix of more.

    Raises:
        GradientTypeError: `seed` or `count` is not an integer.
        GradientValueError: `seed` or `count` is outside its domain.

    >>> uniforms(2021, 3)
    array([0.13043904, 0.513387  , 0.7425571 ], dtype=float32)
    """
    low_bits = _words(seed, integer_from("count", count, least=0)) & np.uint32(2**24 - 1)
    return low_bits.astype(np.float32) * np.float32(2**-24)


def normals(seed: int, count: int) -> Floats:
    """Draw what `torch.manual_seed(seed); torch.randn(count)` draws.

    Args:
        seed: as in `uniforms`.
        count: how many numbers, 0 or more.

    Returns:
        Standard normal float32 numbers, shape `(count,)`. From 16 numbers on they equal PyTorch's
        to a few units in the last place; fewer are computed in float64, by PyTorch too.

    Raises:
        GradientTypeError: `seed` or `count` is not an integer.
        GradientValueError: `seed` or `count` is outside its domain.

    >>> normals(2021, 2)
    array([2.287092 , 0.6413473], dtype=float32)
    """
    count = integer_from("count", count, least=0)
    if count < _BLOCK:
        return _few_normals(seed, count)
    ragged = count % _BLOCK != 0
    draws = uniforms(seed, count + _BLOCK if ragged else count)
    filled = draws[: count - count % _BLOCK].reshape(-1, _BLOCK)
    numbers = np.empty(count, np.float32)
    numbers[: filled.size] = _box_muller(filled).ravel()
    if ragged:
        # PyTorch draws a fresh block for the tail and lets it overwrite part of the last full one.
        numbers[-_BLOCK:] = _box_muller(draws[count:].reshape(1, _BLOCK)).ravel()
    return numbers


def within(bound: float, draws: Floats) -> Floats:
    """Spread uniform numbers from [0, 1) over [-bound, bound), as `torch.Tensor.uniform_` does.

    >>> within(2.0, np.float32([0.0, 0.5, 0.75]))
    array([-2.,  0.,  1.], dtype=float32)
    """
    low = np.float32(-bound)
    # PyTorch's multiply-add rounds once. In float64 the product of two float32 is exact, so that
    # here, too, only the last cast to float32 rounds.
    spread = draws.astype(np.float64) * (-2.0 * float(low)) + float(low)
    return spread.astype(np.float32)


def linspace(start: float, end: float, count: int) -> Floats:
    """Return what `torch.linspace(start, end, count)` returns, to the bit.

    The first half is counted up from `start`, the second half down from `end`; each number is one
    fused multiply-add of float32 operands.

    Raises:
        GradientTypeError: `count` is not an integer.
        GradientValueError: `count` is less than 1.

    >>> linspace(-1.0, 1.0, 5)
    array([-1. , -0.5,  0. ,  0.5,  1. ], dtype=float32)
    """
    count = integer_from("count", count, least=1)
    first, last = np.float32(start), np.float32(end)
    if count == 1:
        return np.array([first])
    step = np.float64((last - first) / np.float32(count - 1))
    place = np.arange(count)
    upwards, downwards = first + step * place, last - step * (count - 1 - place)
    return np.where(place < count // 2, upwards, downwards).astype(np.float32)


def _words(seed: int, count: int) -> NDArray[np.uint32]:
    generator = np.random.RandomState(_low_word(seed))
    return generator.randint(0, 2**32, size=count, dtype=np.uint32)


def _low_word(seed: int) -> int:
    seed = integer("seed", seed)
    if not _LEAST_SEED <= seed <= _LARGEST_SEED:
        raise GradientValueError(
            f"seed must lie between -2**63 and 2**64 - 1, the seeds that PyTorch takes, "
            f"got {seed}; pass seed % 2**32, since only those bits count"
        )
    return seed % 2**32


def _box_muller(blocks: Floats) -> Floats:
    """Turn rows of 16 uniform numbers into rows of 16 normal ones (Box and Muller, 1958).

    Every intermediate is rounded to float32, as in PyTorch: an angle that is not rounded moves the
    result by many units in the last place. The functions themselves are taken in float64, because
    NumPy's float32 versions differ from one processor to the next.
    """
    u1, u2 = np.float32(1) - blocks[:, :8], blocks[:, 8:]
    log_u1 = np.log(u1.astype(np.float64)).astype(np.float32)
    radius = np.sqrt(np.float32(-2) * log_u1)
    angle = (np.float32(2 * np.pi) * u2).astype(np.float64)
    cosine, sine = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
    return np.concatenate([radius * cosine, radius * sine], axis=1)


def _few_normals(seed: int, count: int) -> Floats:
    """Draw fewer than 16 normal numbers: pairs from two 53-bit uniform numbers each, in float64."""
    pairs = (count + 1) // 2
    words = _words(seed, 4 * pairs).astype(np.uint64).reshape(-1, 2)
    joined = (words[:, 0] << np.uint64(32)) | words[:, 1]
    draws = (joined & np.uint64(2**53 - 1)).astype(np.float64).reshape(-1, 2) * 2.0**-53
    radius = np.sqrt(-2 * np.log1p(-draws[:, 1]))
    angle = 2 * np.pi * draws[:, 0]
    both = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return both.ravel()[:count].astype(np.float32)
