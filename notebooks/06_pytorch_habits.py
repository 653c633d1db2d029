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
# # 6. PyTorch habits, and their functional forms
#
# Each section shows a habit as one writes it in PyTorch, and below it the functional form as a cell
# that runs. PyTorch itself is not needed here; its code is text.
#
# | PyTorch habit | functional form |
# | --- | --- |
# | `loss.backward()`, then `p.grad` | `gradient = funcgrad.grad(loss)(params, x, y)` |
# | `loss.item()` and `p.grad` | `funcgrad.value_and_grad(loss)(params, x, y)` |
# | `optimizer.zero_grad()` | nothing: a gradient is a new value |
# | several `backward()` calls | `funcgrad.tree_sum(g1, g2)`, `funcgrad.accumulate_gradients` |
# | `p.requires_grad = False` | `funcgrad.partition(params, mask)`, `funcgrad.merge` |
# | `with torch.no_grad():` | nothing: a call records nothing unless you ask |
# | `x.detach()` | `funcgrad.detach(x)` |
# | `loss.backward(retain_graph=True)` | the pullback of `funcgrad.vjp` is a value, use it again |
# | `create_graph=True` | `funcgrad.grad(funcgrad.grad(f))`, `hessian`, `hvp` |
# | `tensor.grad_fn`, hooks | `funcgrad.graph(f, x)`: `node.op`, `node.gradient` |
# | `torch.autograd.set_detect_anomaly(True)` | `funcgrad.diagnose(f, x)` |
# | `torch.autograd.Function` | `jax.custom_vjp`, `funcgrad.register_vjp` |
# | `nn.Module`, `nn.Sequential` | a function of parameters; or Flax and `nnx.split` |
# | `nn.Linear`, `nn.ReLU`, `nn.Tanh` | `models.linear`, `models.relu`, `models.tanh` |
# | `nn.MSELoss` | `models.mean_squared_error` |
# | `nn.CrossEntropyLoss` | `models.softmax_cross_entropy` |
# | `torch.optim.SGD`, `torch.optim.Adam` | `funcgrad.gradient_descent`, `optax.sgd`, `optax.adam` |
# | `for ...: loss.backward(); optimizer.step()` | `funcgrad.descend`, `funcgrad.minimize` |
# | `DataLoader` | any iterable: `funcgrad.minimize(..., batches=loader)` |
# | `clip_grad_norm_` | `optax.chain(optax.clip_by_global_norm(1.0), rule)` |
# | `state_dict()`, `load_state_dict()` | the parameters *are* data; save the tree |
# | `torch.manual_seed(0)` | `key = jax.random.key(0)`, handed to whoever draws |

# %%
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

import funcgrad
from funcgrad import models

# %% [markdown]
# ## `backward`
#
# ```python
# w = torch.tensor(2.0, requires_grad=True)
# loss = (3 * w - 1) ** 2
# loss.backward()
# w.grad                       # tensor(30.)
# ```


# %%
def loss(w):
    return (3 * w - 1) ** 2


value, gradient = funcgrad.value_and_grad(loss)(2.0)
print(value, gradient)
assert (value, gradient) == (25.0, 30.0)

# %% [markdown]
# ## `.grad` accumulates, `zero_grad` starts again
#
# ```python
# loss(w).backward()
# loss(w).backward()
# w.grad                       # tensor(60.): the sum of both
# w.grad = None                # or optimizer.zero_grad()
# ```

# %%
once = funcgrad.grad(loss)(2.0)
both = funcgrad.tree_sum(once, funcgrad.grad(loss)(2.0))
print("one call", once, " their sum", both)
assert both == 60.0

# %% [markdown]
# ## Micro-batches
#
# ```python
# optimizer.zero_grad()
# for part_x, part_y in zip(x.chunk(4), y.chunk(4)):
#     (mse(model(part_x), part_y) / 4).backward()
# optimizer.step()
# ```

# %%
data = models.noisy_sine(seed=2021)
params = models.init_widenet(seed=2021)
whole = jax.jit(funcgrad.grad(models.widenet_loss))(params, data.x, data.y)
_, parts = funcgrad.accumulate_gradients(
    models.widenet_loss, params, data.x, data.y, micro_batches=4
)
for name in whole:
    np.testing.assert_allclose(parts[name], whole[name], rtol=1e-3, atol=1e-6)
print("the same gradient:", jax.tree.map(jnp.shape, parts))

# %% [markdown]
# ## Freezing
#
# ```python
# for p in model.hidden.parameters():
#     p.requires_grad = False
# optimizer = torch.optim.SGD(filter(lambda p: p.requires_grad, model.parameters()), lr=0.003)
# ```

# %%
mask = {"w1": False, "b1": False, "w2": True, "b2": True}
trainable, frozen = funcgrad.partition(params, mask)


def loss_of_trainable(trainable, x, y):
    return models.widenet_loss(funcgrad.merge(trainable, frozen), x, y)


run = funcgrad.descend(loss_of_trainable, trainable, 0.003, 10, data.x, data.y)
moved = funcgrad.merge(run.params, frozen)
for name in params:
    print(name, "moved" if jnp.any(moved[name] != params[name]) else "did not move")
np.testing.assert_array_equal(moved["w1"], params["w1"])
assert jnp.any(moved["w2"] != params["w2"])

# %% [markdown]
# ## `detach` and `no_grad`
#
# ```python
# y = x * x.detach()
# with torch.no_grad():
#     w -= 0.1 * w.grad
# ```
#
# Without in-place changes there is nothing to protect: a step is a function from parameters to
# parameters.

# %%
print("derivative of x * detach(x) at 3:", funcgrad.grad(lambda x: x * funcgrad.detach(x))(3.0))
stepped = funcgrad.gd_step(loss, 2.0, 0.1)
print("one step from 2:", stepped)
assert stepped == 2.0 - 0.1 * 30.0

# %% [markdown]
# ## `retain_graph` and `create_graph`
#
# ```python
# y.backward(gradient=v, retain_graph=True)
# (g,) = torch.autograd.grad(f(x), x, create_graph=True)
# (h,) = torch.autograd.grad(g, x)
# torch.autograd.functional.hvp(f, x, v)
# ```

# %%
_, pullback = funcgrad.vjp(lambda x: x**3, 2.0)
print("the pullback, twice:", pullback(1.0)[0], pullback(10.0)[0])
assert (pullback(1.0)[0], pullback(10.0)[0]) == (12.0, 120.0)

second = funcgrad.grad(funcgrad.grad(lambda x: x**3))(2.0)
print("second derivative of x^3 at 2:", second)
assert second == 12.0


def rosenbrock(p):
    return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2


point, v = jnp.array([1.0, 1.0]), jnp.array([1.0, 2.0])
product = funcgrad.hvp(rosenbrock, (point,), (v,))
hessian = jax.jit(funcgrad.hessian(rosenbrock))(point)
print("Hessian")
print(hessian)
print("Hessian times v:", product)
np.testing.assert_allclose(product, hessian @ v, atol=1e-3)

# %% [markdown]
# ## `grad_fn`, hooks, anomaly detection
#
# ```python
# y.grad_fn                    # <TanhBackward0>
# h.register_hook(print)       # to see a gradient in the middle
# torch.autograd.set_detect_anomaly(True)
# ```


# %%
def middle(x):
    h = jnp.sin(x)
    return jnp.tanh(h)


graph = funcgrad.graph(middle, 0.5)
print("made by", graph.outputs[0].op.name)
print(f"gradient in the middle: {graph['h'].gradient:.4f}")
print(funcgrad.diagnose(lambda x: jnp.log(x - 1.0), 1.0).findings[0].primitive, "is at fault")

# %% [markdown]
# ## A derivative of your own
#
# ```python
# class Clip(torch.autograd.Function):
#     @staticmethod
#     def forward(ctx, x): ...
#     @staticmethod
#     def backward(ctx, grad): ...
# ```


# %%
@jax.custom_vjp
def straight_through(x):
    return jnp.round(x)


straight_through.defvjp(lambda x: (jnp.round(x), None), lambda _, ct: (ct,))
print(funcgrad.grad(straight_through)(1.3), jax.grad(straight_through)(1.3))
assert funcgrad.grad(straight_through)(1.3) == 1.0

# %% [markdown]
# ## Modules
#
# ```python
# model = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1))
# nn.MSELoss()(model(x), y)
# ```
#
# As plain functions; the keys are the positions of the layers, and a weight has the shape
# `(inputs, outputs)`, the transpose of PyTorch's.

# %%
first, last = jax.random.split(jax.random.key(0))
apply = models.sequential(models.linear, models.tanh, models.linear)
layers = {"0": models.init_linear(first, 1, 16), "2": models.init_linear(last, 16, 1)}


def sequential_loss(layers, x, y):
    return models.mean_squared_error(apply(layers, x), y)


plain = funcgrad.minimize(sequential_loss, layers, optax.adam(0.03), data.x, data.y, steps=300)
print(f"loss below 0.1 after 300 steps of Adam: {plain.losses[-1] < 0.1}")
assert plain.losses[-1] < 0.1

# %% [markdown]
# Or as a class in Flax, which is closest to `nn.Module`. `nnx.split` takes the model apart into its
# structure and its parameters.


# %%
class Network(nnx.Module):
    def __init__(self, rngs):
        self.first = nnx.Linear(1, 16, rngs=rngs)
        self.last = nnx.Linear(16, 1, rngs=rngs)

    def __call__(self, x):
        return self.last(nnx.tanh(self.first(x)))


structure, state = nnx.split(Network(nnx.Rngs(0)))


def network_loss(state, x, y):
    return models.mean_squared_error(nnx.merge(structure, state)(x), y)


trained = funcgrad.minimize(network_loss, state, optax.adam(0.03), data.x, data.y, steps=300)
model = nnx.merge(structure, trained.params)
print("prediction of shape", model(data.x).shape)
print(f"loss below 0.1: {trained.losses[-1] < 0.1}")
assert trained.losses[-1] < 0.1

# %% [markdown]
# ## The training loop, mini-batches, clipping
#
# ```python
# optimizer = torch.optim.SGD(model.parameters(), lr=0.003, momentum=0.9)
# for x, y in loader:
#     optimizer.zero_grad()
#     loss = mse(model(x), y)
#     loss.backward()
#     torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
#     optimizer.step()
# ```

# %%
rule = optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.003, momentum=0.9))


def loader(epochs, size=8, seed=0):
    """Mini-batches in a fresh random order each epoch."""
    random = np.random.default_rng(seed)
    for _ in range(epochs):
        for rows in np.split(random.permutation(32), 32 // size):
            yield data.x[rows], data.y[rows]


run = funcgrad.minimize(models.widenet_loss, params, rule, batches=loader(epochs=25))
print(len(run.losses), "steps; the loss fell:",
      bool(models.widenet_loss(run.params, data.x, data.y) < 0.4))  # fmt: skip
assert models.widenet_loss(run.params, data.x, data.y) < 0.4

# %% [markdown]
# Training goes on where it stopped: the optimiser's state is part of the result.

# %%
momentum = optax.sgd(0.003, momentum=0.9)
batch = (data.x, data.y)
long = funcgrad.minimize(models.widenet_loss, params, momentum, *batch, steps=20)
half = funcgrad.minimize(models.widenet_loss, params, momentum, *batch, steps=10)
rest = funcgrad.minimize(
    models.widenet_loss, half.params, momentum, *batch, steps=10, state=half.state
)
np.testing.assert_allclose(rest.losses, long.losses[10:], rtol=1e-4)
print("10 + 10 steps are 20 steps")

# %% [markdown]
# ## Cross entropy with integer labels
#
# ```python
# nn.CrossEntropyLoss()(logits, labels)
# ```

# %%
logits = jnp.array([[0.0, 0.0], [3.0, 1.0]])
entropy = models.softmax_cross_entropy(logits, jnp.array([1, 0]))
print(f"{entropy:.4f}")
np.testing.assert_allclose(entropy, (np.log(2) + np.log1p(np.exp(-2.0))) / 2, rtol=1e-5)

# %% [markdown]
# ## Seeds
#
# ```python
# torch.manual_seed(0)
# noise = torch.randn(3)
# ```
#
# JAX has no hidden generator: a key is an argument, and the same key draws the same numbers.

# %%
key = jax.random.key(0)
assert jnp.array_equal(jax.random.normal(key, 3), jax.random.normal(key, 3))
first, second = jax.random.split(key)
assert jax.random.normal(first) != jax.random.normal(second)
print("the same key twice: the same numbers; two keys: two draws")
