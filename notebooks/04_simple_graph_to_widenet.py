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
# # 4. From SimpleGraph to WideNet
#
# One neuron first, with its gradient found in four ways; then layers and losses; then WideNet, a
# network of 1,537 parameters, trained step for step as the course trains it in PyTorch.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from flax import nnx

import funcgrad
from funcgrad import models
from funcgrad.models import flax_linen, flax_nnx

BLUE, GREEN, RED, GREY = "#0072B2", "#009E73", "#D55E00", "#6E6E6E"

# %% [markdown]
# ## SimpleGraph
#
# $$\hat y = \tanh(x w + b), \qquad L = (y - \hat y)^2 .$$
#
# By hand, with $\tanh' = 1 - \tanh^2$ and the chain rule:
#
# $$\frac{\partial L}{\partial w} = -2x\,(y - \hat y)(1 - \hat y^2), \qquad
#   \frac{\partial L}{\partial b} = -2\,(y - \hat y)(1 - \hat y^2).$$
#
# With $w = -0.5$, $b = 0.5$, $x = 1$, $y = 7$: the prediction is 0, the loss 49, and both gradients
# are $-14$.

# %%
params = {"w": jnp.array(-0.5), "b": jnp.array(0.5)}
x, y = 1.0, 7.0
print("prediction", models.simple_graph(params, x), " loss", models.simple_graph_loss(params, x, y))


def numerical(loss, params, step=1e-2):
    """Central differences: move one parameter a little up and a little down."""
    return {
        name: (
            loss(params | {name: params[name] + step}, x, y)
            - loss(params | {name: params[name] - step}, x, y)
        )
        / (2 * step)
        for name in params
    }


gradients = {
    "by hand": models.simple_graph_gradients_by_hand(params, x, y),
    "funcgrad": funcgrad.grad(models.simple_graph_loss)(params, x, y),
    "jax": jax.grad(models.simple_graph_loss)(params, x, y),
    "numerical": numerical(models.simple_graph_loss, params),
}
print("                dL/dw      dL/db")
for name, gradient in gradients.items():
    print(f"{name:10} {gradient['w']:10.2f} {gradient['b']:10.2f}")
    np.testing.assert_allclose([gradient["w"], gradient["b"]], -14, rtol=1e-3)

assert models.simple_graph(params, x) == 0
assert models.simple_graph_loss(params, x, y) == 49


# %% [markdown]
# The graph shows where the numbers come from.


# %%
def neuron(w, b, x, y):
    s = x * w + b
    prediction = jnp.tanh(s)
    error = y - prediction
    return jnp.square(error)


graph = funcgrad.graph(neuron, -0.5, 0.5, 1.0, 7.0)
assert graph["w"].gradient == graph["b"].gradient == -14
graph

# %% [markdown]
# Training it: a tanh lies between $-1$ and $1$ and cannot reach 7, so the loss stays above
# $(7 - 1)^2 = 36$. And $x = 1$ makes the two gradients equal, so the path is a diagonal.

# %%
run = funcgrad.descend(models.simple_graph_loss, params, 0.01, 100, x, y, keep_path=True)
w, b = np.meshgrid(np.linspace(-2, 2, 81), np.linspace(-2, 2, 81))
heights = np.asarray(models.simple_graph_loss({"w": w, "b": b}, x, y))

figure, (surface, curve) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
filled = surface.contourf(w, b, heights, levels=range(36, 65, 4), cmap="cividis")
figure.colorbar(filled, label="loss")
surface.plot(run.path["w"], run.path["b"], ".-", color="white", linewidth=1)
surface.set(xlabel="w", ylabel="b", aspect="equal", title="the path on the loss")
curve.plot(run.losses, color=BLUE)
curve.axhline(36, color=RED, linestyle="--", label="best possible: 36")
curve.set(xlabel="step", ylabel="loss before the step")
curve.legend()
plt.show()

assert 36 < float(models.simple_graph_loss(run.params, x, y)) < 36.2

# %% [markdown]
# ## Layers and losses
#
# A layer is a function of its parameters and an input. `sequential` chains layers; the keys of the
# parameters are the positions of the layers, as in `torch.nn.Sequential`.

# %%
first, last = jax.random.split(jax.random.key(0))
apply = models.sequential(models.linear, models.relu, models.linear, models.tanh)
layers = {"0": models.init_linear(first, 2, 8), "2": models.init_linear(last, 8, 3)}
out = apply(layers, jnp.ones((5, 2)))
print("output", out.shape, " parameters", jax.tree.map(jnp.shape, layers))

# %% [markdown]
# The two losses of the course: the **mean squared error**
# $\frac1n \sum_i (\hat y_i - y_i)^2$, and the **softmax cross entropy** with integer labels,
#
# $$-\frac1n \sum_i \log \frac{e^{z_{i, k_i}}}{\sum_j e^{z_{ij}}},
#   \qquad\text{with the gradient by } z:\quad
#   \frac{\mathrm{softmax}(z) - \mathrm{onehot}(k)}{n}.$$

# %%
squared = models.mean_squared_error(jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0]))
print("mean squared error:", squared)
assert squared == 2.0

logits, labels = jnp.array([[2.0, 0.0, -1.0], [0.0, 1.0, 0.0]]), jnp.array([0, 2])
entropy = models.softmax_cross_entropy(logits, labels)
by_engine = funcgrad.grad(models.softmax_cross_entropy)(logits, labels)
by_formula = (jax.nn.softmax(logits) - jax.nn.one_hot(labels, 3)) / 2
print(f"softmax cross entropy: {entropy:.4f}")
print(by_engine.round(4))
np.testing.assert_allclose(by_engine, by_formula, atol=1e-6)

# %% [markdown]
# ## WideNet
#
# `Linear(1, 512)`, `tanh`, `Linear(512, 1)`, fitted to 32 points of a noisy sine by the mean
# squared error. Data and first parameters are the very numbers that PyTorch draws from seed 2021.

# %%
data = models.noisy_sine(seed=2021)
start = models.init_widenet(seed=2021)
count = sum(leaf.size for leaf in jax.tree.leaves(start))
print(f"{count:,} parameters:", jax.tree.map(jnp.shape, start))
assert count == 1537
assert data.x.shape == (32, 1)

# %% [markdown]
# Its graph, at the first parameters. For an array the picture gives mean and norm.

# %%
funcgrad.graph(models.widenet_loss, start, data.x, data.y)

# %% [markdown]
# Three runs of 1,847 steps at learning rate 0.003: momentum 0.9 with the course's extra first step
# (which keeps the momentum and is not on record), momentum 0.9, and vanilla gradient descent. Each
# is one compiled program.

# %%
STEPS, RATE = 1847, 0.003
momentum = optax.sgd(RATE, momentum=0.9)
batch = (data.x, data.y)

extra = funcgrad.minimize(models.widenet_loss, start, momentum, *batch, steps=1 + STEPS)
plain = funcgrad.minimize(models.widenet_loss, start, momentum, *batch, steps=STEPS)
vanilla = funcgrad.descend(models.widenet_loss, start, RATE, STEPS, *batch)

losses = {"extra step": extra.losses[1:], "momentum": plain.losses, "vanilla": vanilla.losses}
pytorch = {
    "extra step": (0.5627539, 0.2934741, 0.0699753, 0.0672953),
    "momentum": (0.8889423, 0.2940495, 0.0699948, 0.0672954),
    "vanilla": (0.8889423, 0.3442242, 0.2886214, 0.2437320),
}
initial = models.widenet_loss(start, *batch)
print(f"initial loss {initial:.7f}; loss before step")
print("                    1st      100th     1000th     1847th")
for name, expected in pytorch.items():
    ours = [float(losses[name][step - 1]) for step in (1, 100, 1000, 1847)]
    print(f"{name:11}" + "".join(f"{loss:11.7f}" for loss in ours))
    print("  PyTorch  " + "".join(f"{loss:11.7f}" for loss in expected))
    np.testing.assert_allclose(ours, expected, rtol=1e-5)
np.testing.assert_allclose(initial, 0.8889423, rtol=1e-5)
print("all equal to a relative 1e-5")

# %%
figure, (fit, curve) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
fine = jnp.linspace(-1, 1, 201)[:, None]
fit.plot(data.x, data.y, "o", color=GREY, markersize=4, label="data")
runs = {"extra step": extra.params, "vanilla": vanilla.params}
for (name, fitted), colour, dash in zip(runs.items(), (GREEN, RED), ("-", "--"), strict=True):
    fit.plot(fine, models.widenet(fitted, fine), dash, color=colour, label=name)
    curve.semilogx(np.arange(1, STEPS + 1), losses[name], dash, color=colour, label=name)
    curve.plot((1, 100, 1000, 1847), pytorch[name], "o", color="black", fillstyle="none")
fit.set(xlabel="x", ylabel="y", xticks=[-1, 0, 1], title=f"after {STEPS} steps")
curve.set(xlabel="step", ylabel="loss before the step", title="circles: PyTorch")
fit.legend()
curve.legend()
plt.show()

# %% [markdown]
# ## The same network in Flax and Optax
#
# Flax builds the network (NNX and Linen), JAX differentiates it, Optax steps. The losses agree with
# ours at every one of the 1,847 steps.


# %%
def train(loss, params):
    """Gradient descent with momentum as one would write it without funcgrad."""

    def step(carry, _):
        params, state = carry
        value, gradient = jax.value_and_grad(loss)(params)
        updates, state = momentum.update(gradient, state)
        return (optax.apply_updates(params, updates), state), value

    carry = (params, momentum.init(params))
    return jax.jit(lambda carry: jax.lax.scan(step, carry, length=STEPS))(carry)[1]


structure, nnx_params = nnx.split(flax_nnx.to_nnx(start))
linen_params = flax_linen.to_linen(start)


def nnx_loss(params):
    return models.mean_squared_error(nnx.merge(structure, params)(data.x), data.y)


def linen_loss(params):
    return models.mean_squared_error(flax_linen.WideNet().apply(params, data.x), data.y)


for name, theirs in [
    ("NNX", train(nnx_loss, nnx_params)),
    ("Linen", train(linen_loss, linen_params)),
]:
    np.testing.assert_allclose(theirs, plain.losses, rtol=1e-4)
    print(f"{name:6} first loss {theirs[0]:.5f}, last {theirs[-1]:.5f}")
print(f"{'ours':6} first loss {plain.losses[0]:.5f}, last {plain.losses[-1]:.5f}")

# %% [markdown]
# The graph is recorded through Flax as through any Python code. A layer is one node, which opens.

# %%
network = flax_nnx.to_nnx(models.init_widenet(width=3))


def flax_loss(x, y):
    return models.mean_squared_error(network(x), y)


flax_graph = funcgrad.graph(flax_loss, data.x, data.y)
layers = [node for node in flax_graph if node.kind == "body"]
for layer in layers:
    print(layer.name, "made by", layer.op.name, "and holds", len(layer.open()), "nodes")
assert len(layers) == 2
assert "dot_general" in [node.op.name for node in layers[0].open() if node.op]

# %% [markdown]
# A model of Flax is trained with *our* gradients in the same way: `nnx.split` gives a pytree of
# parameters, and that is all `minimize` asks for. Adam needs a few hundred steps.

# %%
adam = funcgrad.minimize(nnx_loss, nnx_params, optax.adam(0.01), steps=400)
print(f"Adam: loss {adam.losses[0]:.3f} before, {nnx_loss(adam.params):.2f} after 400 steps")
assert nnx_loss(adam.params) < 0.1
