"""Gradients that vanish or explode along the layers.

The chain is followed from an input to the output, always to the operation that hands on the
largest cotangent. The measure is the largest entry of the cotangent. A loss of many examples has
small cotangents in one step (a mean) without harm; only what shrinks or grows in several steps
counts, so the single largest step is left out of the product.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp

from ._events import Event, Key
from ._findings import Finding
from ._flow import Flow, vanishes
from ._inputs import Leaf
from ._places import line_of

# The spacing of float32 numbers near 1 is 1.2e-7: beside a gradient of one, a gradient below it
# changes its parameter, at a common learning rate, by less than rounding does.
THRESHOLD = 1e-7
SATURATED = frozenset({"logistic", "tanh", "erf"})  # flat without being at a minimum
STEPS = 4  # a loss over so many operations at least is one along the layers


class Link(NamedTuple):
    """One operation of a chain: the largest entry of its cotangent on either side."""

    event: Event
    arriving: float
    delivered: float

    @property
    def growth(self) -> float:
        return math.log(self.delivered) - math.log(self.arriving)


def layer_findings(flow: Flow, leaves: Sequence[Leaf]) -> list[Finding]:
    """The worst vanishing and the worst exploding input."""
    sizes = [_size(flow.totals.get(key)) for key in flow.watched.inputs if key is not None]
    largest = max(sizes, default=0.0)
    # Small beside the other inputs'; where all are small, or there is one alone, small by itself.
    scale = min(largest, 1.0) if largest > THRESHOLD and len(sizes) > 1 else 1.0
    worst: dict[str, tuple[float, list[Link], list[str]]] = {}
    for leaf, key in zip(leaves, flow.watched.inputs, strict=True):
        if key is None or vanishes(flow.totals.get(key)):
            continue
        size = _size(flow.totals[key])
        if THRESHOLD * scale <= size <= 1 / THRESHOLD:
            continue
        kind = "vanishing" if size < 1 else "exploding"
        links = chain(flow, key)
        total = steady(links, kind)
        if kind == "vanishing" and total < -math.log(THRESHOLD):
            total = max(total, _saturation(links))
        if total < -math.log(THRESHOLD):
            continue
        earlier = worst.get(kind)
        names = [*(earlier[2] if earlier else []), leaf.path]
        if earlier is None or total > earlier[0]:
            worst[kind] = (total, links, names)
        else:
            worst[kind] = (earlier[0], earlier[1], names)
    return [_finding(kind, links, names) for kind, (_, links, names) in worst.items()]


def chain(flow: Flow, start: Key) -> list[Link]:
    """The operations from an input to the output."""
    links: list[Link] = []
    key: Key = start
    while True:
        best: tuple[float, int] | None = None
        for number in flow.readers.get(key, ()):
            back = flow.back.get(number)
            if back is None:
                continue
            pairs = zip(flow.event(number).reads, back.delivered, strict=True)
            size = max((_size(ct) for read, ct in pairs if read == key), default=0.0)
            if size > 0 and (best is None or size > best[0]):
                best = (size, number)
        if best is None:
            return links
        event, back = flow.event(best[1]), flow.back[best[1]]
        sizes = [_size(ct) for ct in back.arriving]
        links.append(Link(event, max(sizes), best[0]))
        key = event.writes[sizes.index(max(sizes))]


def _size(cotangent: object) -> float:
    return 0.0 if vanishes(cotangent) else float(jnp.abs(jnp.asarray(cotangent)).max())


def steady(links: Sequence[Link], kind: str) -> float:
    """How much a chain shrinks (grows) in all, in logarithms, but for its largest single step."""
    sign = -1 if kind == "vanishing" else 1
    steps = sorted((sign * link.growth for link in links), reverse=True)
    if sum(step > 0.05 for step in steps) < STEPS:
        return 0.0
    return sum(steps) - max(steps[0], 0.0)


def _saturation(links: Sequence[Link]) -> float:
    """How much a saturated function shrinks the gradient in one step."""
    return max((-link.growth for link in links if link.event.primitive in SATURATED), default=0.0)


def _finding(kind: str, links: Sequence[Link], names: Sequence[str]) -> Finding:
    sign = -1 if kind == "vanishing" else 1
    blame: dict[tuple[str, tuple[str, str]], float] = {}
    for link in links:
        place = (link.event.primitive, line_of(link.event.frames))
        blame[place] = blame.get(place, 0.0) + sign * link.growth
    primitive, (source, code) = max(blame, key=lambda place: blame[place])
    shown = links[:: max(1, len(links) // 10)][:12]
    norms = ", ".join(f"{link.event.primitive} {link.delivered:.2g}" for link in shown)
    numbers = (("largest cotangent by node, input to output", norms),)
    return Finding(
        kind, "backward", primitive, source, _TEXTS[kind].format(primitive), code, tuple(names), (),
        numbers,
    )  # fmt: skip


_TEXTS = {
    "vanishing": (
        "the gradient vanishes: it shrinks at every layer (or iteration), most of all in `{0}`. "
        "Use residual connections, normalisation, relu or gelu instead of sigmoid and tanh, gates "
        "(LSTM, GRU) over long sequences, or initial weights that keep the variance"
    ),
    "exploding": (
        "the gradient explodes: it grows at every layer (or iteration), most of all in `{0}`. Clip "
        "it (`optax.clip_by_global_norm`), start with smaller or orthogonal weights, normalise, or "
        "shorten the sequence"
    ),
}
