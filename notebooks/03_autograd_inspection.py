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
# # 3. Autograd, inspected
#
# What PyTorch keeps in attributes of its tensors (`grad_fn`, `requires_grad`, `.grad`) is here data
# that a function returns. This page looks at each of them.

# %%
import jax
import jax.numpy as jnp
import numpy as np

import funcgrad

# %% [markdown]
# ## What a node stores
#
# A node stores its value, the gradient of the output by it, and the function that created it:
# `node.op`, the counterpart of `grad_fn`. A leaf was created by no function.


# %%
def loss(w, x):
    u = w * x
    v = jnp.sin(u)
    return v * v


graph = funcgrad.graph(loss, 0.5, 3.0)
for node in graph:
    created = node.op.name if node.op else None
    print(f"{node.name:6} value {node.value:7.4f}  gradient {node.gradient:7.4f}  by {created}")

print("leaves:", [node.name for node in graph.leaves])
v = graph["v"]
np.testing.assert_allclose(v.gradient, 2 * v.value, rtol=1e-6)

# %% [markdown]
# `dir` shows the rest; in a notebook, `graph["` and the Tab key complete the names of nodes, and
# `v.` those of attributes.

# %%
print([name for name in dir(v) if not name.startswith("_")])
print()
print("code:  ", v.code)
print("inputs:", [node.name for node in v.inputs], " users:", [node.name for node in v.users])
print("kind:  ", v.kind, " dtype:", v.dtype, " shape:", v.shape)
assert v.op.name == "sin"
assert graph["w"].op is None

# %% [markdown]
# ## `requires_grad` is contagious
#
# In PyTorch a tensor requires a gradient, and so does all that is computed from it. Here the
# **arguments** of the function are what you differentiate by; what depends on them is recorded,
# and the rest is a constant. Integers never require a gradient.

# %%
offset = jnp.array(2.0)  # no argument: a constant


def mixed(w, count):
    scale = offset * jnp.sqrt(offset)
    return w * scale * count


mixed_graph = funcgrad.graph(mixed, 1.5, 3)
for node in mixed_graph:
    print(f"{node.name:6} requires_grad {node.requires_grad}")
assert mixed_graph["w"].requires_grad
assert not mixed_graph["count"].requires_grad

# %% [markdown]
# `scale` is no node, because it depends on no argument: the operation stores it as a constant.
#
# To choose what is trainable, part the tree of parameters with `partition`, and put it together
# inside the loss with `merge`. The frozen half gets no gradient, and what depends only on it is not
# even recorded.

# %%
keys = jax.random.split(jax.random.key(0), 2)
params = {
    "first": {"w": jax.random.normal(keys[0], (3, 4)), "b": jnp.zeros(4)},
    "last": {"w": jax.random.normal(keys[1], (4, 1)), "b": jnp.zeros(1)},
}
x = jnp.ones((5, 3))


def network_loss(params):
    hidden = jnp.tanh(x @ params["first"]["w"] + params["first"]["b"])
    return jnp.mean((hidden @ params["last"]["w"] + params["last"]["b"] - 1.0) ** 2)


requires_grad = {"first": False, "last": True}
trainable, frozen = funcgrad.partition(params, requires_grad)


def last_layer_loss(trainable):
    return network_loss(funcgrad.merge(trainable, frozen))


whole = funcgrad.tape(network_loss, params)
part = funcgrad.tape(last_layer_loss, trainable)
print("gradient:", jax.tree.map(jnp.shape, funcgrad.grad(last_layer_loss)(trainable)))
print("fewer operations are recorded:", len(part.steps) < len(whole.steps))
assert len(part.steps) < len(whole.steps)

after = funcgrad.merge(
    funcgrad.descend(last_layer_loss, trainable, 0.1, 50).params,
    frozen,
)
np.testing.assert_array_equal(after["first"]["w"], params["first"]["w"])
assert network_loss(after) < network_loss(params)

# %% [markdown]
# ## `detach`
#
# `detach` keeps a value and cuts it from the graph. With $f(x) = x \cdot \mathrm{detach}(x)$ the
# derivative is $x$, and not $2x$: one of the two paths is gone.


# %%
def square(x):
    return x * x


def half_detached(x):
    fixed = funcgrad.detach(x)
    return x * fixed


print("square:  ", funcgrad.grad(square)(3.0), "over", len(funcgrad.graph(square, 3.0).paths("x")),
      "paths")  # fmt: skip
print("detached:", funcgrad.grad(half_detached)(3.0))
assert funcgrad.grad(square)(3.0) == 6.0
assert funcgrad.grad(half_detached)(3.0) == 3.0
assert jax.grad(half_detached)(3.0) == 3.0

funcgrad.graph(half_detached, 3.0)

# %% [markdown]
# A typical use: a target that must not be pulled towards the prediction.

# %%
rates = {"student": jnp.array(0.2), "teacher": jnp.array(1.0)}


def imitation(p):
    return (p["student"] - funcgrad.detach(p["teacher"])) ** 2


gradient = funcgrad.grad(imitation)(rates)
print({name: round(float(value), 4) for name, value in gradient.items()})
assert gradient["teacher"] == 0.0

# %% [markdown]
# ## Accumulation
#
# In PyTorch `.backward()` **adds** to `.grad`, so that two calls without `.zero_grad()` give the
# sum. A pure function has nowhere to add to: a second call gives the same gradient again.

# %%
first = funcgrad.grad(loss)(0.5, 3.0)
second = funcgrad.grad(loss)(0.5, 3.0)
assert first == second
print(f"one call {first:.4f}, a second call {second:.4f}")

# %% [markdown]
# If you want a sum, add. A fresh tree of zeros is `zero_grad()`; `tree_sum` adds two trees of
# gradients.

# %%
data = jnp.linspace(-1.0, 1.0, 8)[:, None]
target = data**2
theta = {"w": jnp.array([[0.5]]), "b": jnp.array([0.1])}


def mean_loss(theta, x, y):
    return jnp.mean((jnp.tanh(x @ theta["w"]) + theta["b"] - y) ** 2)


total = jax.tree.map(jnp.zeros_like, theta)  # zero_grad
for part_x, part_y in zip(jnp.split(data, 4), jnp.split(target, 4), strict=True):
    total = funcgrad.tree_sum(total, funcgrad.grad(mean_loss)(theta, part_x, part_y))
by_hand = jax.tree.map(lambda leaf: leaf / 4, total)

full = funcgrad.grad(mean_loss)(theta, data, target)
for name in theta:
    print(f"{name}: four parts {by_hand[name].item():.5f}, whole {full[name].item():.5f}")
    np.testing.assert_allclose(by_hand[name], full[name], rtol=1e-5)

# %% [markdown]
# The loss is a mean over examples, so the mean over equal **micro-batches** is the gradient of the
# whole batch. `accumulate_gradients` does this as one loop on the device, in the memory of one
# micro-batch; the compiled program says how much it needs.

# %%
value, gradient = funcgrad.accumulate_gradients(mean_loss, theta, data, target, micro_batches=4)
np.testing.assert_allclose(gradient["w"], full["w"], rtol=1e-5)
np.testing.assert_allclose(value, mean_loss(theta, data, target), rtol=1e-5)

wide = {"w": jnp.full((1, 256), 0.5), "b": jnp.zeros(256)}
many = jnp.linspace(-1.0, 1.0, 2048)[:, None]


def working_memory(parts):
    def differentiate(theta, x, y):
        return funcgrad.accumulate_gradients(mean_loss, theta, x, y, micro_batches=parts)[1]

    program = jax.jit(differentiate).lower(wide, many, jnp.tile(many, (1, 256))).compile()
    return program.memory_analysis().temp_size_in_bytes


share = working_memory(16) / working_memory(1)
print("16 micro-batches need less than an eighth of the memory:", share < 1 / 8)
assert share < 1 / 8

# %% [markdown]
# ## The pullback is a value
#
# `vjp` returns the function's value and its **pullback**, which maps a cotangent of the output to
# the gradients. It is a value like any other: apply it as often as you like (PyTorch needs
# `retain_graph=True`), store it, or map over it.

# %%
y, pullback = funcgrad.vjp(lambda v: jnp.sin(v) * 2.0, jnp.array([0.0, 1.0]))
(rows,) = jax.vmap(pullback)(jnp.eye(2))
print("Jacobian, one row for each unit cotangent:")
print(rows.round(4))
np.testing.assert_allclose(rows, np.diag(2 * np.cos([0.0, 1.0])), rtol=1e-5)
