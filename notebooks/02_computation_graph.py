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
# # 2. The computation graph and backward
#
# A program that computes a number is a chain of small operations. Written as a graph, it shows how
# a derivative is found: forward for the values, backward for the gradients. The example is
#
# $$f(x, y, z) = \tanh\Bigl(\ln\Bigl(1 + z\,\frac{2x}{\sin y}\Bigr)\Bigr).$$

# %%
import jax
import jax.numpy as jnp
import numpy as np

import funcgrad

# %% [markdown]
# ## Forward
#
# Every intermediate gets a name: $a = 2x$, $b = \sin y$, $c = a/b$, $d = zc$, $e = \ln(1 + d)$.


# %%
def f(x, y, z):
    a = 2 * x
    b = jnp.sin(y)
    c = a / b
    d = z * c
    e = jnp.log(1 + d)
    return jnp.tanh(e)


graph = funcgrad.graph(f, 1.0, 1.0, 1.0)
graph

# %% [markdown]
# Each box is a value, with the gradient of the output by it after $\partial$. Each arrow carries
# the local partial derivative of its head by its tail. The names are those of your variables. The
# same as text, from the output down:

# %%
print(graph.text())

# %% [markdown]
# And as data: a graph is a sequence of nodes, and a node is found by its name.

# %%
print("name     made by   from       value   gradient")
for node in graph:
    made_by = node.op.name if node.op else "-"
    operands = ", ".join(operand.name for operand in node.inputs) or "-"
    print(f"{node.name:8} {made_by:9} {operands:6} {node.value:10.5f} {node.gradient:10.5f}")

# %% [markdown]
# ## Backward, by hand
#
# Each edge holds the partial of its head by its tail. Most of them can be written with values that
# the forward pass has stored already:
#
# | edge | partial |
# | --- | --- |
# | $e \to f$ | $1 - f^2$ |
# | $1 + d \to e$ | $1 / (1 + d)$ |
# | $c \to d$ | $z$ |
# | $z \to d$ | $c$ |
# | $a \to c$ | $1 / b$ |
# | $b \to c$ | $-c / b$ |
# | $y \to b$ | $\cos y$ |
# | $x \to a$ | $2$ |

# %%
value = {node.name: node.value for node in graph}
out, log_of = graph.outputs[0].name, graph["e"].inputs[0].name
partial = {(edge.source.name, edge.target.name): float(edge.partial) for edge in graph.edges}
by_hand = {
    ("e", out): 1 - value[out] ** 2,
    (log_of, "e"): 1 / value[log_of],
    ("d", log_of): 1.0,
    ("c", "d"): value["z"],
    ("z", "d"): value["c"],
    ("a", "c"): 1 / value["b"],
    ("b", "c"): -value["c"] / value["b"],
    ("y", "b"): np.cos(1.0),
    ("x", "a"): 2.0,
}
assert partial.keys() == by_hand.keys()
for edge, expected in by_hand.items():
    np.testing.assert_allclose(partial[edge], expected, rtol=1e-5)
print(len(partial), "edges agree with the table")

# %% [markdown]
# Now start at the top with the gradient 1 and walk down, one edge at a time: an edge adds
#
# $$\text{gradient of its head} \times \text{partial on the edge}$$
#
# to the gradient of its tail. A node is finished when all edges out of it have been walked.

# %%
found = {node.name: 0.0 for node in graph}
found[out] = 1.0
for node in reversed(graph.nodes):
    for edge in node.incoming:
        flow = found[node.name] * float(edge.partial)
        found[edge.source.name] += flow
        print(f"{node.name:>7} -> {edge.source.name:6} adds {found[node.name]:9.5f} "
              f"* {float(edge.partial):9.5f} = {flow:9.5f}")  # fmt: skip

for node in graph:
    np.testing.assert_allclose(found[node.name], node.gradient, rtol=1e-5)

# %% [markdown]
# The result is the gradient, which the transforms give at once:
# $f(1,1,1) = 0.838744947187734$ and $\nabla f(1,1,1) = (0.20869959, -0.13400447, 0.20869959)$.

# %%
with jax.enable_x64(True):
    y, gradient = funcgrad.value_and_grad(f, argnums=(0, 1, 2))(1.0, 1.0, 1.0)
    reference = jax.grad(f, argnums=(0, 1, 2))(1.0, 1.0, 1.0)
    print(f"f = {float(y):.15f}")
    print("gradient =", np.round(np.array(gradient), 8))
    assert abs(float(y) - 0.838744947187734) < 1e-14
    np.testing.assert_allclose(gradient, (0.20869959, -0.13400447, 0.20869959), atol=5e-9)
    np.testing.assert_allclose(gradient, reference, rtol=1e-14)

# %% [markdown]
# ## The chain rule as a sum over paths
#
# The gradient of $L$ by a value $v$ is the sum, over all paths from $L$ down to $v$, of the product
# of the partials along the path:
#
# $$\frac{\partial L}{\partial v} = \sum_{\text{paths } L \to v} \; \prod_{\text{edges}}
#   \frac{\partial\,\text{head}}{\partial\,\text{tail}} .$$
#
# In $f$ there is one path to each input. With $x$ used three times there are three:


# %%
def g(x):
    a = jnp.exp(x)
    b = jnp.sin(x)
    return a * b + x


three = funcgrad.graph(g, 2.0)
for path in three.paths("x"):
    print(f"{path.product:8.5f}  along ", " <- ".join(node.name for node in path.nodes))

total = sum(float(path.product) for path in three.paths("x"))
by_hand = np.exp(2) * (np.sin(2) + np.cos(2)) + 1
print(f"{total:8.5f}  is the sum, and the gradient")
np.testing.assert_allclose(total, three["x"].gradient, rtol=1e-6)
np.testing.assert_allclose(total, by_hand, rtol=1e-5)
three

# %% [markdown]
# Summing over paths explains the gradient, but it is not how it is computed: the number of paths
# can double at every step. The backward pass visits each edge once.


# %%
def doubling(x):
    for _ in range(8):
        x = x + 0.5 * x
    return x


big = funcgrad.graph(doubling, 1.0)
paths = big.paths("x")
print(f"{len(paths)} paths, but only {len(big.edges)} edges")
assert len(paths) == 2**8
np.testing.assert_allclose(sum(path.product for path in paths), 1.5**8, rtol=1e-5)

# %% [markdown]
# ## Define by run
#
# The graph is recorded while the code runs, as it winds through functions, classes, loops and
# conditions. What was not executed is not in the graph.


# %%
class Amplifier:
    def __init__(self, gain):
        self.gain = gain

    def __call__(self, x):
        return self.gain * x


def winding(x):
    amplify = Amplifier(3.0)
    while x < 10:  # depends on the data
        x = amplify(x)
    if x > 20:
        return jnp.log(x)
    return jnp.sqrt(x)


for start in (1.0, 4.0, 50.0):
    recorded = funcgrad.graph(winding, start)
    print(start, [node.op.name for node in recorded if node.op])

# %% [markdown]
# A jitted function, a loop of `jax.lax` or a layer is one node, which opens: `node.open()` gives
# the graph inside, and `depth=1` opens all of them in place.


# %%
@jax.jit
def softsign(x):
    return x / (1 + jnp.abs(x))


def twice(x):
    return softsign(softsign(x))


closed = funcgrad.graph(twice, 2.0)
print(closed.text())
print()
print(closed.outputs[0].open().text())
print()
print(f"{len(closed)} nodes, opened {len(funcgrad.graph(twice, 2.0, depth=1))}")

# %% [markdown]
# ## Vectors and matrices
#
# For an operation entry by entry the partial is an array. For a general linear map it is a
# function, "cotangent of the head to cotangent of the tail"; `jacobian()` writes it out.

# %%
weights = jnp.array([[1.0, 2.0], [0.0, 3.0]])
mapped = funcgrad.graph(lambda v: jnp.sum((weights @ v) ** 2), jnp.array([1.0, -1.0]))
edge = next(edge for edge in mapped.edges if edge.source.name == "v")
print(edge.source.name, "->", edge.target.name, edge.partial)
print(edge.partial.jacobian())
np.testing.assert_array_equal(edge.partial.jacobian(), weights)

# %% [markdown]
# ## Other forms of the picture
#
# `graph.svg()`, `graph.mermaid()` (drawn by code-hosting sites), `graph.dot()` (Graphviz) and
# `graph.json()` return text. `graph.page("f.html")` writes one HTML file that steps through both
# passes, one operation at a time, with no network.

# %%
print(graph.mermaid()[:180], "...")
stored = graph.json()
assert funcgrad.Picture.from_json(stored).svg() == graph.svg()

# %% [markdown]
# Below the graph lies the **tape**, the recorded program as immutable data:

# %%
tape = funcgrad.tape(f, 1.0, 1.0, 1.0)
print([step.primitive.name for step in tape.steps])
