"""A JAX function and its reverse derivative as a function of PyTorch, for its `gradcheck`."""

from __future__ import annotations

import importlib.util
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tests.verify.corpus.cases import Problem
from tests.verify.score_checkers import Said, differentiable, first_line, is_float

# Tests collect every module of this folder, and most environments have no PyTorch.
torch: Any = importlib.import_module("torch") if importlib.util.find_spec("torch") else None


def by_gradcheck(problem: Problem) -> Said:
    """`torch.autograd.gradcheck` on every input and output with a derivative; others are fixed."""
    flat, structure = jax.tree.flatten(problem.args)
    moving = [i for i, leaf in enumerate(flat) if is_float(leaf)]
    function = differentiable(problem)

    def of_leaves(*leaves: Any) -> list[Any]:
        filled = list(flat)
        for i, leaf in zip(moving, leaves, strict=True):
            filled[i] = leaf
        results = jax.tree.leaves(function(*jax.tree.unflatten(structure, filled)))
        return [result for result in results if is_float(result)]

    inputs = [torch.tensor(np.asarray(flat[i]), requires_grad=True) for i in moving]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of inputs that are not in 64 bits
            torch.autograd.gradcheck(_bridged(of_leaves), inputs)
    except Exception as error:  # a checker that fails on a function has refused it
        return Said("wrong", f"{type(error).__name__}: {first_line(error)}")
    return Said("right")


def _bridged(of_leaves: Any) -> Any:
    def forward(ctx: Any, *tensors: Any) -> Any:
        leaves = [jnp.asarray(t.detach().numpy()) for t in tensors]
        values, ctx.pull_back = jax.vjp(of_leaves, *leaves)
        results = tuple(_tensor(value) for value in values)
        return results if len(results) > 1 else results[0]

    def backward(ctx: Any, *cotangents: Any) -> Any:
        # In both libraries the cotangent of a complex number is stored conjugated by the other.
        given = [jnp.conj(jnp.asarray(ct.detach().resolve_conj().numpy())) for ct in cotangents]
        gradients = tuple(_tensor(jnp.conj(g)) for g in ctx.pull_back(given))
        return gradients if len(gradients) > 1 else gradients[0]

    members = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    bridge: Any = type("Bridge", (torch.autograd.Function,), members)
    return bridge.apply


def _tensor(value: Any) -> Any:
    return torch.tensor(np.asarray(value))
