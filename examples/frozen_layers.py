"""Frozen layers: a new task for a trained network, of which only the last layer may change.

PyTorch switches `requires_grad` off, leaf by leaf. Here `partition` parts the tree of parameters,
and the loss is a function of the trainable half alone: the frozen half gets no gradient, and what
depends on nothing trainable is not even recorded. `detach` cuts at one value: all leaves take part,
but the gradient of those behind the cut is zero.
"""
# mypy: disable-error-code=import-not-found

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import optax
from _picture import GREEN, GREY, RED, Figure, out_folder, save_picture

import funcgrad
from funcgrad.models import init_widenet, mean_squared_error, noisy_sine, widenet, widenet_loss

Params = dict[str, jax.Array]


def loss_with_detach(params: Params, x: jax.Array, y: jax.Array) -> jax.Array:
    """The loss of WideNet, with the hidden layer cut from the graph."""
    hidden = funcgrad.detach(jnp.tanh(x @ params["w1"] + params["b1"]))
    return mean_squared_error(hidden @ params["w2"] + params["b2"], y)


def main(out: Path) -> None:
    x, sine, *_ = noisy_sine(seed=2021)
    rule = optax.sgd(0.003, momentum=0.9)
    trained = funcgrad.minimize(widenet_loss, init_widenet(), rule, x, sine, steps=1847).params

    # What requires a gradient is named once; the frozen half is closed over.
    requires_grad = {"w1": False, "b1": False, "w2": True, "b2": True}
    last, frozen = funcgrad.partition(trained, requires_grad)

    def loss(last: Params, x: jax.Array, y: jax.Array) -> jax.Array:
        return widenet_loss(funcgrad.merge(last, frozen), x, y)

    cosine = jnp.cos(jnp.pi * x)
    run = funcgrad.minimize(loss, last, rule, x, cosine, steps=1000)
    adapted = funcgrad.merge(run.params, frozen)
    after = widenet_loss(adapted, x, cosine)
    print(f"the new task: loss {run.losses[0]:.4f} before, {after:.4f} after 1000 steps")

    moved = {name: float(jnp.abs(adapted[name] - trained[name]).max()) for name in requires_grad}
    partitioned = funcgrad.grad(loss)(last, x, cosine)
    detached = funcgrad.grad(loss_with_detach)(trained, x, cosine)
    print("        largest     largest gradient, by")
    print("leaf     change     partition     detach")
    for name in requires_grad:
        print(
            f"{name} {moved[name]:12.4g} {size(partitioned[name]):>13} {size(detached[name]):>10}"
        )

    whole = funcgrad.tape(lambda params: widenet_loss(params, x, cosine), trained)
    part = funcgrad.tape(lambda last: loss(last, x, cosine), last)
    print(f"recorded: {len(whole.steps)} operations for all layers, {len(part.steps)} for the last")

    fits = {"before": trained, "after": adapted}
    save_picture(
        out / "frozen_layers.png", (10.5, 4.4), lambda figure: draw(figure, x, cosine, fits, moved)
    )


def size(gradient: jax.Array | None) -> str:
    return "none" if gradient is None else f"{jnp.abs(gradient).max():.4f}"


def draw(
    figure: Figure, x: jax.Array, y: jax.Array, fits: dict[str, Params], moved: dict[str, float]
) -> None:
    fit, bars = figure.subplots(1, 2)
    fine = jnp.linspace(-1, 1, 201)[:, None]
    fit.plot(x, y, "o", color=GREY, markersize=5, label="new task")
    fit.plot(fine, widenet(fits["before"], fine), "--", color=RED, label="trained on a sine")
    fit.plot(fine, widenet(fits["after"], fine), color=GREEN, label="last layer trained anew")
    fit.set(xlabel="x", ylabel="y", xticks=[-1, -0.5, 0, 0.5, 1], ylim=(-1.7, 2.1))
    fit.set_title("old features, new task")
    fit.legend()

    labels = [f"{name}\n{'trained' if change else 'frozen'}" for name, change in moved.items()]
    drawn = bars.bar(labels, list(moved.values()), color=GREEN, width=0.6)
    bars.bar_label(drawn, fmt="%.2g", padding=3)
    bars.margins(y=0.12)
    bars.set(ylabel="largest change of an entry", title="the frozen leaves did not move")


if __name__ == "__main__":
    main(out_folder(__doc__))
