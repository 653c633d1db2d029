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
# # 5. Where did my NaN come from?
#
# A NaN in a gradient has one beginning and many victims. `funcgrad.diagnose(f, *args)` runs a
# function and its backward pass, finds the first operation that makes a number non-finite, and says
# what to do. It also finds gradients that are zero for a bad reason, and those that vanish or
# explode along the layers.
#
# Every report names the line as `file.py:line`. In a notebook the "file" is the cell, under a
# number that Jupyter gives it; the line of code stands below it.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import funcgrad

# %% [markdown]
# When all is well, it says so, and costs one run:

# %%
print(funcgrad.diagnose(jnp.sin, 0.5))

# %% [markdown]
# ## 1. The `where` trap
#
# The function below is finite, and it never *chooses* the square root of a number that is not
# positive. Yet its gradient is NaN. `jnp.where` computes both branches; backward, the branch not
# chosen gets a zero gradient, and multiplies it by its local partial:
#
# $$0 \cdot \frac{1}{2\sqrt{0}} = 0 \cdot \infty = \mathrm{NaN}.$$


# %%
def trap(x):
    root = jnp.sqrt(x)
    return jnp.sum(jnp.where(x > 0, root, 0.0))


x = jnp.array([0.0, 4.0])
print("value   ", trap(x))
print("gradient", funcgrad.grad(trap)(x))
assert jnp.isnan(funcgrad.grad(trap)(x)[0])
assert jnp.isnan(jax.grad(trap)(x)[0])

# %%
report = funcgrad.diagnose(trap, x)
print(report)
assert report.findings[0].primitive == "sqrt"
assert report.findings[0].phase == "backward"

# %% [markdown]
# Two ways out. The **double where** makes the operand safe before the root is taken. Or let the
# engine treat zero times non-finite as zero: `strong_zeros=True`.


# %%
def double_where(x):
    safe = jnp.where(x > 0, x, 1.0)
    return jnp.sum(jnp.where(x > 0, jnp.sqrt(safe), 0.0))


print(funcgrad.grad(double_where)(x), funcgrad.grad(trap, strong_zeros=True)(x))
np.testing.assert_allclose(funcgrad.grad(double_where)(x), [0.0, 0.25])
np.testing.assert_allclose(funcgrad.grad(trap, strong_zeros=True)(x), [0.0, 0.25])
assert funcgrad.diagnose(double_where, x).ok

# %% [markdown]
# ## 2. Overflow: a softmax written as it stands in the book
#
# $e^{100}$ is larger than the largest float32, so it becomes infinite.


# %%
def cross_entropy_naive(logits, label):
    probability = jnp.exp(logits) / jnp.sum(jnp.exp(logits))
    return -jnp.log(probability[label])


logits = jnp.array([100.0, 0.0, -5.0])
print("value", cross_entropy_naive(logits, 0))
report = funcgrad.diagnose(cross_entropy_naive, logits, 0)
print(report)
assert (report.findings[0].kind, report.findings[0].primitive) == ("inf", "exp")

# %% [markdown]
# Subtracting the maximum changes nothing in exact arithmetic and everything in floating point;
# `jax.nn.log_softmax` does it.


# %%
def cross_entropy(logits, label):
    return -jax.nn.log_softmax(logits)[label]


print("value", cross_entropy(logits, 0) + 0.0, "gradient", funcgrad.grad(cross_entropy)(logits, 1))
np.testing.assert_allclose(funcgrad.grad(cross_entropy)(logits, 1), [1, -1, 0], atol=1e-6)

# %% [markdown]
# ## 3. A norm at zero
#
# $\lVert v \rVert$ has no derivative at $0$: the root has an infinite slope there, and the square
# inside a zero slope. The first non-finite number is that slope.


# %%
def norm(v):
    return jnp.sqrt(jnp.sum(v * v))


report = funcgrad.diagnose(norm, jnp.zeros(3))
print(report)
assert not report.ok

# %% [markdown]
# ## 4. Training that diverges
#
# Gradient descent on $f(w) = w^4$ with a learning rate that is too large. Which iteration was it?
# `diagnose` looks inside the loop.


# %%
def descent(w):
    def step(w, _):
        slope = 4 * w * w * w
        return w - 0.6 * slope, None

    w, _ = jax.lax.scan(step, w, length=30)
    return w * w * w * w


report = funcgrad.diagnose(descent, 1.2)
print(report)
assert report.findings[0].inside
assert "scan" in report.findings[0].inside[0]

# %% [markdown]
# The path up to there, one step at a time:

# %%
quartic = funcgrad.descend(lambda w: w * w * w * w, 1.2, 0.6, 8, keep_path=True)
sizes = np.abs(np.asarray(quartic.path, np.float64))
figure, ax = plt.subplots(figsize=(5.6, 3), layout="constrained")
ax.semilogy(np.arange(8)[np.isfinite(sizes)], sizes[np.isfinite(sizes)], "o-", color="#D55E00")
ax.set(xlabel="step", ylabel="|w|", xticks=range(5), title="each step cubes w")
plt.show()

good = funcgrad.descend(lambda w: w * w * w * w, 1.2, 0.05, 8)
assert np.isfinite(good.params)

# %% [markdown]
# ## 5. No NaN, and yet no learning
#
# A ReLU whose operand is negative for every example is **dead**: its gradient is exactly zero, and
# no step of gradient descent will ever change that.


# %%
def dead(params, x):
    hidden = jnp.maximum(x @ params["w1"] + params["b1"], 0.0)
    return jnp.mean((hidden @ params["w2"] - 1.0) ** 2)


params = {"w1": jnp.ones((2, 3)), "b1": jnp.full(3, -50.0), "w2": jnp.ones((3, 1))}
report = funcgrad.diagnose(dead, params, jnp.ones((4, 2)))
print(report)
assert report.findings[0].kind == "zero"

# %% [markdown]
# And a chain of twelve sigmoids, each with a slope of at most $1/4$: the gradient of the first
# layer is what is left after twelve multiplications.


# %%
def deep(weights, x):
    h = x
    for w in weights:
        h = jax.nn.sigmoid(h * w)
    return h


weights = [jnp.array(0.1)] * 12
report = funcgrad.diagnose(deep, weights, 1.0)
print(report.findings[0])
assert report.findings[0].kind == "vanishing"

# %%
gradient = np.abs(np.array(funcgrad.grad(deep)(weights, 1.0)))
figure, ax = plt.subplots(figsize=(5.6, 3), layout="constrained")
ax.semilogy(range(1, 13), gradient, "o-", color="#0072B2")
ax.set(xlabel="layer", ylabel="|gradient of its weight|")
plt.show()

# %% [markdown]
# ## A diagnosis is data
#
# `report.ok`, `report.findings` (each with `kind`, `phase`, `primitive`, `source`, `inside`,
# `suggestion`, ...), and `report.to_json()`: enough for a check in a test or a training script.

# %%
finding = funcgrad.diagnose(trap, x).findings[0]
print(finding.kind, "|", finding.phase, "|", finding.primitive, "|", finding.code)
assert '"ok": false' in funcgrad.diagnose(trap, x).to_json()
