"""WideNet, 1,537 parameters, fitted to a noisy sine: gradient descent with and without momentum.

The course trains Linear(1, 512), tanh, Linear(512, 1) in PyTorch. The data and the first parameters
here are those that PyTorch draws, so that the losses are the course's as well. The gradients are
funcgrad's, momentum comes from Optax, and each run is one compiled program.
"""
# mypy: disable-error-code=import-not-found

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from _picture import GREEN, GREY, RED, Figure, out_folder, save_picture

import funcgrad
from funcgrad.models import Dataset, init_widenet, noisy_sine, widenet, widenet_loss

STEPS = 1847
# What PyTorch prints as the loss before the step of that number.
PYTORCH = {
    "momentum": {1: 0.5627539, 100: 0.2934741, 1000: 0.0699753, 1847: 0.0672953},
    "vanilla": {1: 0.8889423, 100: 0.3442242, 1000: 0.2886214, 1847: 0.2437320},
}
Curves = dict[str, jax.Array]
Fits = dict[str, dict[str, jax.Array]]


def main(out: Path) -> None:
    data, params = noisy_sine(seed=2021), init_widenet(seed=2021)
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    print(f"{count:,} parameters, {len(data.x)} points")

    momentum = optax.sgd(0.003, momentum=0.9)
    fitted = funcgrad.minimize(widenet_loss, params, momentum, data.x, data.y, steps=1 + STEPS)
    vanilla = funcgrad.descend(widenet_loss, params, 0.003, STEPS, data.x, data.y)
    # The course takes one step with momentum before those that it records.
    losses = {"momentum": fitted.losses[1:], "vanilla": vanilla.losses}

    print("loss before step        funcgrad     PyTorch   relative difference")
    for name, expected in PYTORCH.items():
        for step, reference in expected.items():
            loss = losses[name][step - 1]
            print(f"{name:9} {step:6} {loss:15.7f} {reference:11.7f} {loss / reference - 1:13.0e}")

    fits = {"momentum": fitted.params, "vanilla": vanilla.params}
    save_picture(out / "widenet.png", (10.5, 4.4), lambda figure: draw(figure, data, fits, losses))


def draw(figure: Figure, data: Dataset, fits: Fits, losses: Curves) -> None:
    fit, curve = figure.subplots(1, 2)
    x = jnp.linspace(-1, 1, 201)[:, None]
    fit.plot(data.x, data.y, "o", color=GREY, markersize=5, label="data")
    for name, colour, line in [("momentum", GREEN, "-"), ("vanilla", RED, "--")]:
        fit.plot(x, widenet(fits[name], x), line, color=colour, label=name)
        curve.semilogx(np.arange(1, STEPS + 1), losses[name], line, color=colour, label=name)
    for reference in PYTORCH.values():
        curve.plot(*zip(*reference.items(), strict=True), "o", color="black", fillstyle="none")
    curve.plot([], [], "o", color="black", fillstyle="none", label="PyTorch")
    fit.set(xlabel="x", ylabel="y", xticks=[-1, -0.5, 0, 0.5, 1], title=f"after {STEPS} steps")
    curve.set(xlabel="step", ylabel="loss before the step", ylim=(0, None))
    curve.set_xticks([1, 10, 100, 1000], labels=["1", "10", "100", "1000"])
    curve.set_title("mean squared error, learning rate 0.003")
    fit.legend()
    curve.legend()


if __name__ == "__main__":
    main(out_folder(__doc__))
