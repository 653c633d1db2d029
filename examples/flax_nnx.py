"""A Flax NNX model, trained with the gradients of funcgrad and the Adam of Optax.

An NNX model is an object that holds its arrays. `nnx.split` takes it apart into a structure and a
pytree of parameters, `nnx.merge` puts it together inside the loss: so the loss is a pure function
of a pytree, which is all that `funcgrad.minimize` asks for. The model tells two spirals apart.
"""
# mypy: disable-error-code=import-not-found

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from _picture import BLUE, RED, Figure, out_folder, save_picture

import funcgrad
from funcgrad.models import accuracy, softmax_cross_entropy

try:
    from flax import nnx
except ImportError:
    raise SystemExit('this example needs Flax: pip install "funcgrad[flax]"') from None


class Classifier(nnx.Module):  # type: ignore[misc]  # flax is not followed, so its classes are Any
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.first = nnx.Linear(2, 64, rngs=rngs)
        self.second = nnx.Linear(64, 64, rngs=rngs)
        self.last = nnx.Linear(64, 2, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        logits: jax.Array = self.last(nnx.tanh(self.second(nnx.tanh(self.first(x)))))
        return logits


def spirals(seed: int, points: int = 150) -> tuple[jax.Array, jax.Array]:
    """Two interleaved spirals: positions, shape (2 points, 2), and the spiral of each, 0 or 1."""
    angle = np.linspace(0.5, 3 * np.pi, points)
    arm = angle[:, None] / 6 * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    x = np.concatenate([arm, -arm])
    x += 0.06 * np.random.default_rng(seed).normal(size=x.shape)
    return jnp.asarray(x, jnp.float32), jnp.repeat(jnp.arange(2), points)


def main(out: Path) -> None:
    x, labels = spirals(seed=0)
    structure, params = nnx.split(Classifier(nnx.Rngs(0)))

    def loss(params: Any, x: jax.Array, labels: jax.Array) -> jax.Array:
        return softmax_cross_entropy(nnx.merge(structure, params)(x), labels)

    ours, theirs = (
        jax.tree.leaves(jax.jit(grad(loss))(params, x, labels))
        for grad in (funcgrad.grad, jax.grad)
    )
    apart = max(np.abs(a - b).max() for a, b in zip(ours, theirs, strict=True))
    print(f"the gradients by funcgrad and by JAX differ by at most {apart:.1e}")

    run = funcgrad.minimize(loss, params, optax.adam(0.01), x, labels, steps=500)
    model = nnx.merge(structure, run.params)
    print(f"loss {run.losses[0]:.4f} before the first step, {run.losses[-1]:.4f} before the last")
    print(f"{accuracy(model(x), labels):.1%} of {len(x)} points are on the right side")

    save_picture(out / "flax_nnx.png", (7.2, 6), lambda figure: draw(figure, model, x, labels))


def draw(figure: Figure, model: Classifier, x: jax.Array, labels: jax.Array) -> None:
    axes = figure.subplots()
    plane = np.stack(np.meshgrid(*2 * [np.linspace(-1.9, 1.9, 201)]), dtype=np.float32)
    odds = np.asarray(jax.nn.softmax(model(jnp.asarray(plane.transpose(1, 2, 0))))[..., 1])
    filled = axes.contourf(*plane, odds, np.linspace(0, 1, 11), cmap="PuOr_r", vmin=-0.5, vmax=1.5)
    axes.contour(*plane, odds, levels=[0.5], colors="black", linewidths=1)
    for spiral, (colour, marker) in enumerate([(BLUE, "o"), (RED, "^")]):
        axes.plot(*np.asarray(x)[labels == spiral].T, marker, color=colour, markeredgecolor="white",
                  markersize=7)  # fmt: skip
    figure.colorbar(filled, label="probability of the triangles", shrink=0.85)
    axes.set(aspect="equal", xlabel="first feature", ylabel="second feature")
    axes.set_title("what the network believes, and where it is undecided (black)")


if __name__ == "__main__":
    main(out_folder(__doc__))
