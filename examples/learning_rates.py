"""Gradient descent with a too small, a good and a too large learning rate.

A step of w - eta gradient promises to change the function by -eta |gradient|^2. It keeps the
promise only in the limit of a small eta. Too small a rate hardly moves; too large a one jumps over
the valley and back again for ever, because it exceeds 2 / curvature.
"""
# mypy: disable-error-code=import-not-found

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from _picture import BLUE, GREEN, RED, Figure, out_folder, save_picture

import funcgrad

RATES = {"too small": 0.003, "good": 0.04, "too large": 0.13}
COLOURS = {"too small": BLUE, "good": GREEN, "too large": RED}
STEPS = 20


def h(point: jax.Array) -> jax.Array:
    x, y = point
    return jnp.sin(x**2 + y**2)


def main(out: Path) -> None:
    start = jnp.array([1.1, 0.9])
    slope = funcgrad.grad(h)(start)
    runs = {
        name: funcgrad.descend(h, start, rate, STEPS, keep_path=True)
        for name, rate in RATES.items()
    }

    print(f"h(x, y) = sin(x^2 + y^2) from (1.1, 0.9), where h = {h(start):.4f}; its minimum is -1")
    print("                     first step of h")
    print("learning rate       promised   actual   ratio   after 20 steps")
    for name, run in runs.items():
        promised, actual = -RATES[name] * slope @ slope, run.losses[1] - run.losses[0]
        print(f"{name:10} {RATES[name]:<7} {promised:9.4f} {actual:8.4f} {actual / promised:7.2f}"
              f"{h(run.params):17.4f}")  # fmt: skip

    curvature = jnp.linalg.eigvalsh(funcgrad.hessian(h)(runs["good"].params))[-1]
    print(
        f"curvature at the minimum {curvature:.2f}: no rate above {2 / curvature:.3f} settles there"
    )

    save_picture(out / "learning_rates.png", (10, 8.4), lambda figure: draw(figure, runs))


def draw(figure: Figure, runs: dict[str, funcgrad.Descent]) -> None:
    *maps, curves = figure.subplots(2, 2).flat
    for axes, (name, run) in zip(maps, runs.items(), strict=True):
        draw_path(axes, run, COLOURS[name])
        axes.set_title(f"{name}: learning rate {RATES[name]}")
        curves.plot(run.losses, ".-", color=COLOURS[name], label=name)
    curves.set(xlabel="step", ylabel="h before the step", xticks=range(0, STEPS + 1, 5),
               title="the same start, three learning rates")  # fmt: skip
    curves.legend(loc="upper right", bbox_to_anchor=(1, 0.86))


def draw_path(axes: Any, run: funcgrad.Descent, colour: str) -> None:
    """A descent from the ring to the star; the dashed circle is the bottom of the valley."""
    x, y = np.meshgrid(*2 * [np.linspace(0.7, 2.2, 201)])
    path = np.vstack([run.path, run.params])
    axes.contourf(x, y, np.sin(x**2 + y**2), levels=np.linspace(-1, 1, 17), cmap="Greys_r",
                  vmin=-2.2, vmax=1)  # fmt: skip
    axes.contour(x, y, x**2 + y**2, levels=[1.5 * np.pi], colors="black", linestyles="dashed")
    axes.plot(*path.T, ".-", color=colour, markersize=9, linewidth=1.5)
    axes.plot(*path[0], "o", color=colour, markersize=14, fillstyle="none", markeredgewidth=2)
    axes.plot(*path[-1], "*", color=colour, markersize=20, markeredgecolor="white")
    ticks = [0.8, 1.2, 1.6, 2.0]
    axes.set(aspect="equal", xlabel="x", ylabel="y", xticks=ticks, yticks=ticks)


if __name__ == "__main__":
    main(out_folder(__doc__))
