"""SimpleGraph, one neuron: L = (y - tanh(x w + b))^2 and its gradient, found in four ways.

By hand, by this package's engine, by JAX and numerically: three agree to the last digit, the
numerical one as far as a difference of rounded numbers can. Then the neuron is trained. Its output
lies between -1 and 1, so that it cannot reach the target 7: the best possible loss is 36.
"""
# mypy: disable-error-code=import-not-found

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from _picture import BLUE, RED, Figure, out_folder, save_picture

import funcgrad
from funcgrad.models import simple_graph, simple_graph_gradients_by_hand, simple_graph_loss

Params = dict[str, jax.Array]
X, Y = 1.0, 7.0


def numerical(loss: Callable[..., jax.Array], params: Params, step: float = 1e-2) -> Params:
    """Central differences: move one parameter a little up and a little down."""

    def difference(name: str) -> jax.Array:
        up, down = params | {name: params[name] + step}, params | {name: params[name] - step}
        return (loss(up, X, Y) - loss(down, X, Y)) / (2 * step)

    return {name: difference(name) for name in params}


def main(out: Path) -> None:
    params = {"w": jnp.array(-0.5), "b": jnp.array(0.5)}
    print(f"w = -0.5, b = 0.5, x = 1, y = 7: prediction {simple_graph(params, X):.1f}, "
          f"loss {simple_graph_loss(params, X, Y):.1f}")  # fmt: skip

    gradients = {
        "by hand": simple_graph_gradients_by_hand(params, X, Y),
        "funcgrad.grad": funcgrad.grad(simple_graph_loss)(params, X, Y),
        "jax.grad": jax.grad(simple_graph_loss)(params, X, Y),
        "numerical": numerical(simple_graph_loss, params),
    }
    print("                    dL/dw       dL/db")
    for name, gradient in gradients.items():
        print(f"{name:14} {gradient['w']:10.4f}  {gradient['b']:10.4f}")

    run = funcgrad.descend(simple_graph_loss, params, 0.01, 100, X, Y, keep_path=True)
    w, b = run.params["w"], run.params["b"]
    print(f"after 100 steps: w = {w:.4f}, b = {b:.4f}, "
          f"prediction {simple_graph(run.params, X):.4f}, "
          f"loss {simple_graph_loss(run.params, X, Y):.4f}; it stays above 36")  # fmt: skip

    save_picture(
        out / "simple_graph.png", (10, 4.4), lambda figure: draw(figure, run.losses, run.path)
    )


def draw(figure: Figure, losses: jax.Array, path: Any) -> None:
    surface, curve = figure.subplots(1, 2)
    w, b = jnp.meshgrid(*2 * [jnp.linspace(-2, 2, 101)])
    heights = simple_graph_loss({"w": w, "b": b}, X, Y)
    filled = surface.contourf(
        *map(np.asarray, (w, b, heights)), levels=range(36, 65, 2), cmap="cividis"
    )
    figure.colorbar(filled, label="loss")
    surface.plot(path["w"], path["b"], ".-", color="white", linewidth=1)
    surface.plot(-0.5, 0.5, "o", color="white", markersize=12, fillstyle="none", markeredgewidth=2)
    surface.set(xlabel="w", ylabel="b", aspect="equal", xticks=range(-2, 3), yticks=range(-2, 3),
                title="both gradients are equal (x = 1):\nthe path is a diagonal")  # fmt: skip

    curve.plot(losses, color=BLUE, label="before the step")
    curve.axhline(36, color=RED, linestyle="--", label="best possible: (7 - 1)²")
    curve.set(xlabel="step", ylabel="loss", title="a tanh cannot reach the target 7")
    curve.legend()


if __name__ == "__main__":
    main(out_folder(__doc__))
