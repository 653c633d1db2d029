# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 1. Gradient descent
#
# Learning is optimisation. Three things are needed:
#
# - a **target function** with parameters $w$, for instance a network;
# - a **loss** $f(w)$, one number that says how badly it does;
# - an **optimiser**, a rule that turns a gradient into new parameters.
#
# In `funcgrad` all three are pure functions, and parameters are plain data: nothing is stored
# inside an object, nothing changes behind your back.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

import funcgrad

# %% [markdown]
# ## The function, and its gradient
#
# We take a function of two numbers, so that everything can be drawn:
#
# $$h(x, y) = \sin(x^2 + y^2), \qquad
#   \nabla h(x, y) = \bigl(2x\cos(x^2+y^2),\; 2y\cos(x^2+y^2)\bigr).$$
#
# `funcgrad.grad(h)` is the gradient as a function.


# %%
def h(point):
    x, y = point
    return jnp.sin(x**2 + y**2)


def gradient_by_hand(point):
    x, y = point
    return 2 * jnp.cos(x**2 + y**2) * jnp.array([x, y])


gradient = funcgrad.grad(h)

print(" x     y      by funcgrad          by hand")
for point in jnp.array([[1.0, 0.0], [1.0, 1.0], [1.0, 0.5], [-0.5, 2.0]]):
    ours, hand = gradient(point), gradient_by_hand(point)
    print("{:4.1f} {:5.1f}   {:7.4f} {:7.4f}     {:7.4f} {:7.4f}".format(*point, *ours, *hand))
    np.testing.assert_allclose(ours, hand, rtol=1e-5, atol=1e-5)

# %% [markdown]
# `jax.vmap` evaluates the gradient at many points at once. The arrows are the **gradient field**:
# each stands at a right angle to the level lines and points uphill. On the ridge (dotted) and in
# the valley (dashed) the gradient is zero.

# %%
side = np.linspace(-2.4, 2.4, 17)
grid = np.stack(np.meshgrid(side, side), axis=-1)
points = jnp.asarray(grid[np.hypot(grid[..., 0], grid[..., 1]) < 2.4])
field_at = jax.jit(jax.vmap(gradient))
field = field_at(points)
np.testing.assert_allclose(field, jax.vmap(gradient_by_hand)(points), rtol=1e-4, atol=1e-4)


def contour(axes, low, high):
    """The surface h as filled level lines, with its ridge and its valley."""
    x, y = np.meshgrid(np.linspace(low, high, 161), np.linspace(low, high, 161))
    shades = {"cmap": "PuOr", "vmin": -1.7, "vmax": 1.7}
    filled = axes.contourf(x, y, np.sin(x**2 + y**2), np.linspace(-1, 1, 13), **shades)
    axes.contour(x, y, x**2 + y**2, [np.pi / 2], colors="black", linestyles="dotted")
    axes.contour(x, y, x**2 + y**2, [3 * np.pi / 2], colors="black", linestyles="dashed")
    axes.set(aspect="equal", xlabel="x", ylabel="y")
    return filled


figure, axes = plt.subplots(figsize=(5.6, 4.6))
filled = contour(axes, -2.4, 2.4)
axes.quiver(*points.T, *field.T, angles="xy", scale_units="xy", scale=15, width=0.0035)
figure.colorbar(filled, ticks=[-1, 0, 1], label="h(x, y)")
axes.set_title("h and its gradient field")
plt.show()

# %% [markdown]
# Is the gradient really the direction of steepest ascent? Try 360 short steps of equal length, one
# for each degree, and see which one leads highest.

# %%
start = jnp.array([1.0, 0.5])
angles = jnp.deg2rad(jnp.arange(360.0))
circle = start + 0.02 * jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=-1)
best = int(jnp.argmax(jax.vmap(h)(circle)))
direction = float(jnp.rad2deg(jnp.arctan2(*gradient(start)[::-1])))

print(f"gradient: {direction:.1f} degrees; best of 360 steps: {best} degrees")
assert abs(best - direction) <= 2

# %% [markdown]
# ## The algorithm
#
# **Vanilla gradient descent.** Inputs: first parameters $w^{(0)}$, step size $\eta > 0$, number of
# steps $T$. For $t = 0, \dots, T - 1$:
#
# $$w^{(t+1)} = w^{(t)} - \eta \, \nabla f\bigl(w^{(t)}\bigr).$$
#
# It returns $w^{(T)}$. One step is `gd_step`; the whole loop is `descend`, one compiled program.

# %%
w0 = jnp.array([1.1, 0.9])
eta = 0.04

w = w0
for _ in range(20):
    w = funcgrad.gd_step(h, w, eta)
by_formula = w0 - eta * gradient(w0)
np.testing.assert_allclose(funcgrad.gd_step(h, w0, eta), by_formula, rtol=1e-6)

run = funcgrad.descend(h, w0, eta, 20, keep_path=True)
np.testing.assert_allclose(run.params, w, rtol=1e-4)

print("w(20) =", np.round(run.params, 4))
print(f"h before the first step {run.losses[0]:.4f}, after the last {h(run.params):.4f}")
print("path of shape", run.path.shape, "and losses of shape", run.losses.shape)
assert float(h(run.params)) < -0.999

# %% [markdown]
# `run.losses[t]` is the loss *before* step $t$, and `run.path[t]` is $w^{(t)}$; `run.params` is
# $w^{(T)}$.
#
# ## How much does one step gain?
#
# To first order, a step changes the function by
#
# $$f(w - \eta \nabla f) - f(w) \approx -\eta \, \lVert \nabla f(w) \rVert^2 .$$
#
# No other step of the same length promises more, but the promise is exact only for an infinitesimal
# $\eta$. What really happens depends on the learning rate. It can be a little more, where the slope
# gets steeper on the way, and it ends far below:

# %%
slope = gradient(w0)
print("learning rate   promised     actual   actual / promised")
ratios = []
for rate in (0.001, 0.01, 0.1, 0.5, 1.0):
    promised = -rate * slope @ slope
    actual = h(w0 - rate * slope) - h(w0)
    ratios.append(float(actual / promised))
    print(f"{rate:13} {promised:10.4f} {actual:10.4f} {ratios[-1]:14.2f}")
assert abs(ratios[0] - 1) < 0.01
assert ratios[-1] < 0.25

# %% [markdown]
# ## Too small, good, too large
#
# The same start, three learning rates.

# %%
rates = {"too small": 0.003, "good": 0.04, "too large": 0.13}
runs = {name: funcgrad.descend(h, w0, rate, 20, keep_path=True) for name, rate in rates.items()}
colours = {"too small": "#0072B2", "good": "#009E73", "too large": "#D55E00"}

figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.5), layout="constrained")
for ax, (name, run) in zip(axes, runs.items(), strict=True):
    contour(ax, 0.7, 2.2)
    near = jnp.asarray(np.stack(np.meshgrid(*2 * [np.linspace(0.8, 2.1, 8)]), -1).reshape(-1, 2))
    ax.quiver(*near.T, *field_at(near).T, alpha=0.35, width=0.005, scale=70)
    path = np.vstack([run.path, run.params])
    ax.plot(*path.T, ".-", color=colours[name], markersize=8)
    ax.plot(*path[0], "o", color=colours[name], markersize=12, fillstyle="none", markeredgewidth=2)
    ax.plot(*path[-1], "*", color=colours[name], markersize=17, markeredgecolor="white")
    ax.set_title(f"{name}: {rates[name]}")
plt.show()

# %%
figure, ax = plt.subplots(figsize=(6.2, 3.4), layout="constrained")
for name, run in runs.items():
    ax.plot(run.losses, ".-", color=colours[name], label=f"{name}: {rates[name]}")
ax.set(xlabel="step", ylabel="h before the step", xticks=range(0, 21, 5))
ax.legend()
plt.show()

for name, run in runs.items():
    print(f"{name:10} h = {h(run.params):7.4f} after 20 steps")
assert h(runs["good"].params) < h(runs["too small"].params)
assert h(runs["good"].params) < h(runs["too large"].params)

# %% [markdown]
# The small rate hardly moves. The large rate jumps over the valley and back for ever. Where is the
# border? Near a minimum the function is a parabola in each direction; gradient descent settles
# there only if $\eta < 2 / \lambda$, where $\lambda$ is the largest curvature, the largest
# eigenvalue of the Hessian. In this valley $x^2 + y^2 = 3\pi/2$ and $\lambda = 4 \cdot 3\pi/2$.

# %%
good = runs["good"].params
curvature = float(jnp.linalg.eigvalsh(jax.jit(funcgrad.hessian(h))(good))[-1])
print(f"curvature {curvature:.2f} (by hand {6 * np.pi:.2f}): the rate must be below "
      f"{2 / curvature:.3f}")  # fmt: skip
assert abs(curvature - 6 * np.pi) < 0.05
assert rates["good"] < 2 / curvature < rates["too large"]

# %% [markdown]
# ## Parameters are any tree
#
# `descend` takes parameters in any nesting of dicts, lists and tuples, and further arguments of
# the loss after the number of steps. Here a line is fitted: target function, loss, optimiser.

# %%
x = jnp.linspace(-1, 1, 21)
y = 3 * x - 1


def line(params, x):
    return params["slope"] * x + params["intercept"]


def loss(params, x, y):
    return jnp.mean((line(params, x) - y) ** 2)


fitted = funcgrad.descend(loss, {"slope": 0.0, "intercept": 0.0}, 0.5, 60, x, y).params
print({name: round(float(value), 3) for name, value in fitted.items()})
assert abs(float(fitted["slope"]) - 3) < 1e-3

# %% [markdown]
# ## Other update rules
#
# Momentum, Adam and every other rule come from [Optax](https://optax.readthedocs.io). `minimize`
# takes the rule as an argument; `funcgrad.gradient_descent(rate)` is our own rule in the same form.

# %%
rules = {
    "vanilla": funcgrad.gradient_descent(0.003),
    "momentum": optax.sgd(0.003, momentum=0.9),
    "adam": optax.adam(0.1),
}
for name, rule in rules.items():
    run = funcgrad.minimize(h, w0, rule, steps=60)
    print(f"{name:9} h = {h(run.params):7.4f} after 60 steps")

same = funcgrad.minimize(h, w0, rules["vanilla"], steps=20)
np.testing.assert_array_equal(same.params, runs["too small"].params)
