"""The gradient field of h(x, y) = sin(x^2 + y^2).

The gradient is a function of the point: `funcgrad.grad` computes it at one point, `jax.vmap` at all
points of a grid. Each arrow stands at a right angle to the level line and shows where h grows
fastest; where the field vanishes, h has its ridges and valleys.
"""
# mypy: disable-error-code=import-not-found

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from _picture import Figure, out_folder, save_picture

import funcgrad


def h(point: jax.Array) -> jax.Array:
    x, y = point
    return jnp.sin(x**2 + y**2)


def by_formula(point: jax.Array) -> jax.Array:
    x, y = point
    return 2 * jnp.cos(x**2 + y**2) * jnp.array([x, y])


def steepest_direction(point: jax.Array, step: float = 0.1) -> int:
    """The best of 360 steps of the same length, one a degree, found by trying them all."""
    angles = jnp.deg2rad(jnp.arange(360.0))
    circle = point + step * jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=-1)
    return int(jnp.argmax(jax.vmap(h)(circle)))


def main(out: Path) -> None:
    gradient = funcgrad.grad(h)
    field, expected = jax.jit(jax.vmap(gradient)), jax.jit(jax.vmap(by_formula))

    points = jnp.array([[1.0, 0.0], [1.0, 1.0], [1.0, 0.5], [-0.5, 2.0]])
    print("  x    y    gradient by funcgrad    by the formula 2 cos(x^2 + y^2) (x, y)")
    for row in np.hstack([points, field(points), expected(points)]):
        print("{:4.1f} {:4.1f}   ({:7.4f}, {:7.4f})      ({:7.4f}, {:7.4f})".format(*row))

    x, y = np.meshgrid(*2 * [np.linspace(-2.4, 2.4, 19)])
    points = jnp.stack([x, y], axis=-1)[np.hypot(x, y) < 2.39]
    apart = jnp.abs(field(points) - expected(points)).max()
    print(f"on {len(points)} points of a grid the two differ by at most {apart:.1e}")

    point = jnp.array([1.0, 0.5])
    angle = np.rad2deg(np.arctan2(*gradient(point)[::-1]))
    print(f"at (1, 0.5) the gradient points towards {angle:.1f} degrees; of 360 steps tried,")
    print(f"the one towards {steepest_direction(point)} degrees leads highest")

    arrows = np.hstack([points, field(points)]).T
    save_picture(out / "gradient_field.png", (7.4, 6.4), lambda figure: draw(figure, *arrows))


def draw(figure: Figure, *arrows: np.ndarray) -> None:
    axes = figure.subplots()
    x, y = np.meshgrid(*2 * [np.linspace(-2.4, 2.4, 241)])
    heights, levels = np.sin(x**2 + y**2), np.linspace(-1, 1, 17)
    filled = axes.contourf(x, y, heights, levels, cmap="PuOr", vmin=-1.7, vmax=1.7)
    axes.contour(x, y, x**2 + y**2, [np.pi / 2], colors="black", linestyles="dotted")
    axes.contour(x, y, x**2 + y**2, [np.pi * 3 / 2], colors="black", linestyles="dashed")
    axes.quiver(*arrows, angles="xy", scale_units="xy", scale=15, width=0.0035)
    figure.colorbar(filled, ticks=[-1, -0.5, 0, 0.5, 1], label="h(x, y)")
    axes.set(xlabel="x", ylabel="y", aspect="equal", xticks=range(-2, 3), yticks=range(-2, 3))
    axes.set_title("the gradient points uphill\nand is zero on ridge (dotted) and valley (dashed)")


if __name__ == "__main__":
    main(out_folder(__doc__))
