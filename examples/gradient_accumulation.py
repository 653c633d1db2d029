"""Gradient accumulation: the gradient of a large batch in the memory of a small one.

The loss is a mean over examples, so its gradient is the mean of the gradients of equal parts of the
batch. PyTorch adds them up in `.grad`; here they are trees, and adding is `tree_sum`.
`accumulate_gradients` does it as one loop on the device, which keeps the hidden layer of only one
part at a time: the compiled program says how much memory it needs.
"""
# mypy: disable-error-code=import-not-found

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from _picture import BLUE, Figure, out_folder, save_picture

import funcgrad
from funcgrad.models import init_widenet, widenet_loss

EXAMPLES = 4096
Params = dict[str, jax.Array]


def summed_by_hand(params: Params, x: jax.Array, y: jax.Array, parts: int) -> Params:
    """What calling `backward()` for one part after the other leaves in `.grad`, as a mean."""
    gradient = jax.jit(funcgrad.grad(widenet_loss))
    total = jax.tree.map(jnp.zeros_like, params)  # zero_grad
    for part in zip(jnp.split(x, parts), jnp.split(y, parts), strict=True):
        total = funcgrad.tree_sum(total, gradient(params, *part))
    return {name: leaf / parts for name, leaf in total.items()}


def compiled(micro_batches: int, *example: Any) -> Any:
    """The compiled program for the gradient over so many micro-batches."""

    def gradient(params: Params, x: jax.Array, y: jax.Array) -> Any:
        return funcgrad.accumulate_gradients(
            widenet_loss, params, x, y, micro_batches=micro_batches
        )[1]

    return jax.jit(gradient).lower(*example).compile()


def relative_difference(left: Params, right: Params) -> float:
    """The largest difference of two trees, in units of the largest entry of the second."""
    apart = max(float(jnp.abs(left[name] - right[name]).max()) for name in right)
    return apart / max(float(jnp.abs(leaf).max()) for leaf in right.values())


def main(out: Path) -> None:
    x = jnp.linspace(-1, 1, EXAMPLES)[:, None]
    y, params = jnp.sin(jnp.pi * x), init_widenet(seed=2021)
    full = jax.jit(funcgrad.grad(widenet_loss))(params, x, y)

    print(f"WideNet, the gradient of {EXAMPLES} examples")
    by_hand = relative_difference(summed_by_hand(params, x, y, 4), full)
    print(f"4 parts, summed by hand: differs by {by_hand:.0e} of its largest entry")
    print("micro-batches   working memory   difference")
    memory = {}
    for count in (1, 4, 16):
        program = compiled(count, params, x, y)
        memory[str(count)] = program.memory_analysis().temp_size_in_bytes / 2**20
        apart = relative_difference(program(params, x, y), full)
        print(f"{count:13} {memory[str(count)]:12.2f} MiB {apart:12.0e}")

    save_picture(out / "gradient_accumulation.png", (6.4, 4.4), lambda figure: draw(figure, memory))


def draw(figure: Figure, memory: dict[str, float]) -> None:
    axes = figure.subplots()
    bars = axes.bar(list(memory), list(memory.values()), color=BLUE, width=0.6)
    axes.bar_label(bars, fmt="%.1f MiB", padding=3)
    axes.margins(y=0.12)
    axes.set(
        xlabel=f"micro-batches of one batch of {EXAMPLES} examples",
        ylabel="working memory of the program, MiB",
    )
    axes.set_title("the same gradient in a quarter, and a sixteenth, of the memory")


if __name__ == "__main__":
    main(out_folder(__doc__))
