"""Fourier transforms."""

from __future__ import annotations

from .._choices import Choices
from .._domains import both, ranked, real
from .._kinds import Operation, Params, Shape, Slot

FAMILY = "fft"


def axis(choices: Choices, shape: Shape) -> Params:
    return {"axis": str(choices.integer(-1, len(shape) - 2))}


def transform(name: str, template: str, slot: Slot | None = None, drawn: bool = True) -> Operation:
    slots = (slot or both(ranked(1)),)
    return Operation(name, FAMILY, template, slots, axis if drawn else None, wide=True)


OPERATIONS = (
    transform("fft", "jnp.fft.fft({0}, axis={axis})"),
    transform("ifft", "jnp.fft.ifft({0}, axis={axis})"),
    transform("rfft", "jnp.fft.rfft({0}, axis={axis})", real(ranked(1))),
    transform("irfft", "jnp.fft.irfft({0}, n=4, axis={axis})"),
    transform("fft2", "jnp.fft.fft2({0})", both(ranked(2)), drawn=False),
    transform("rfft2", "jnp.fft.rfft2({0})", real(ranked(2)), drawn=False),
    transform(
        "spectrum", "jnp.square(jnp.abs(jnp.fft.fft({0}, axis={axis})) + 0.5)", drawn=True
    )._replace(
        template="jnp.square(jnp.fft.rfft({0}, axis={axis}).real)", slots=(real(ranked(1)),)
    ),
    transform("dct", "jax.scipy.fft.dct({0}, axis={axis})", real(ranked(1))),
)
