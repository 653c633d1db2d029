"""The discrete Fourier transforms over the last one to three axes.

In JAX's convention a pullback is the plain transpose, without conjugation, and the matrix of the
transform, e^(-2 pi i j k / n), is symmetric. So a complex transform is its own transpose. The real
transforms are the complex one with a real input, or with half of a spectrum whose other half is
the conjugate of the first; n below is the length of the last axis that is transformed.

- RFFT keeps the frequencies 0 ... n/2. Its transpose pads the rest with zeros, transforms, and
  takes the real part, since the input is real. (IRFFT would be half the work, but what it does with
  a spectrum of which frequency 0 is not real is left to the library that computes it.)
- IRFFT is y = 1/N Re sum_k w[k] x[k] e^(2 pi i j k / n), with w = 2 for the frequencies that stand
  for two, and 1 for frequency 0 and, if n is even, n/2. For a real ct, ct dy = Re(result dx), so
  the result is w/N times the conjugate of RFFT(ct). N is the number of all points.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .. import _jaxcompat as compat
from .._jaxcompat import primitives as p
from .._registry import linear
from ._cases import at_least_single, shaped

_TYPES = lax.FftType


def _fft_transpose(
    ct: Any, _y: Any, _x: Any, *, fft_type: Any, fft_lengths: tuple[int, ...]
) -> Any:
    if fft_type == _TYPES.RFFT:
        return _rfft_transpose(ct, _x.shape[-1], fft_lengths)
    if fft_type == _TYPES.IRFFT:
        return _irfft_transpose(ct, fft_lengths)
    return lax.fft(ct, fft_type, fft_lengths)


def _rfft_transpose(ct: Any, length: int, fft_lengths: tuple[int, ...]) -> Any:
    edges = [(0, 0, 0)] * (ct.ndim - 1) + [(0, length - ct.shape[-1], 0)]
    padded = lax.pad(ct, compat.scalar(0, ct.dtype), edges)
    return lax.real(lax.fft(padded, _TYPES.FFT, fft_lengths))


def _irfft_transpose(ct: Any, fft_lengths: tuple[int, ...]) -> Any:
    spectrum = lax.conj(lax.fft(ct, _TYPES.RFFT, fft_lengths))
    weights = _multiplicity(fft_lengths[-1]) / math.prod(fft_lengths)
    return spectrum * lax.broadcast_in_dim(
        jnp.asarray(weights, spectrum.dtype), spectrum.shape, (spectrum.ndim - 1,)
    )


def _multiplicity(length: int) -> Any:
    """For how many frequencies of a whole spectrum each of the half spectrum stands."""
    frequencies = np.arange(length // 2 + 1)
    return np.where((frequencies == 0) | (2 * frequencies == length), 1.0, 2.0)


linear(
    p.fft_p, _fft_transpose,
    cases=[
        shaped(jnp.fft.fft, (5,), (2, 4), (1,), dtypes="c"),
        shaped(lambda x: jnp.fft.fft2(at_least_single(x)), (3, 4), dtypes="fc"),
        shaped(jnp.fft.ifftn, (2, 3, 2), dtypes="c"),
        shaped(lambda x: jnp.fft.ifft(x, axis=0), (4, 3), (3, 0), dtypes="c"),
        shaped(lambda x: lax.fft(x, "FFT", (3,)), (2, 2, 3), (0, 3), dtypes="c"),
        shaped(lambda x: jnp.fft.rfft(at_least_single(x)), (5,), (4,), (2, 6), (1,), dtypes="f"),
        shaped(lambda x: jnp.fft.rfftn(at_least_single(x)), (3, 4), (2, 3, 5), dtypes="f"),
        shaped(lambda x: jnp.fft.rfft2(at_least_single(x)), (2, 3, 4), dtypes="f"),
        shaped(jnp.fft.irfft, (3,), (2, 4), dtypes="c"),
        shaped(lambda x: jnp.fft.irfft(x, 5), (3,), (2, 4), dtypes="c"),
        shaped(lambda x: jnp.fft.irfft(x, 1), (1,), (2, 1), dtypes="c"),
        shaped(jnp.fft.irfftn, (3, 2), (2, 3, 4), dtypes="c"),
        shaped(lambda x: jnp.fft.irfft2(x, (3, 5)), (2, 3, 4), dtypes="c"),
        shaped(lambda x: jnp.fft.hfft(x, 6), (4,), dtypes="c"),
        shaped(jax.vmap(lambda x: jnp.fft.rfft(at_least_single(x)), 1), (4, 2), dtypes="f"),
    ],
)  # fmt: skip
