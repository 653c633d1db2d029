"""funcgrad: see, trust and use gradients in JAX.

A functional reverse-mode engine of its own on JAX's primitives, gradient descent as pure functions,
and the course models that compare both with Flax and Optax. Names load on first use, so that
importing the package costs nothing and does not import JAX.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._lazy import lazy_names

if TYPE_CHECKING:
    from . import models as models
    from . import verify as verify
    from ._descent import Descent as Descent
    from ._descent import descend as descend
    from ._descent import minimize as minimize
    from ._diagnosis import Diagnosis as Diagnosis
    from ._diagnosis import Finding as Finding
    from ._diagnosis import diagnose as diagnose
    from ._errors import FuncgradError as FuncgradError
    from ._errors import MissingRuleError as MissingRuleError
    from ._extend import register_vjp as register_vjp
    from ._graph import Graph as Graph
    from ._graph import Picture as Picture
    from ._graph import graph as graph
    from ._jacobian import hessian as hessian
    from ._jacobian import hvp as hvp
    from ._jacobian import jacrev as jacrev
    from ._scan import scan as scan
    from ._scan import scan_cost as scan_cost
    from ._steps import accumulate_gradients as accumulate_gradients
    from ._steps import gd_step as gd_step
    from ._steps import gradient_descent as gradient_descent
    from ._tape import Step as Step
    from ._tape import Tape as Tape
    from ._transform import grad as grad
    from ._transform import tape as tape
    from ._transform import value_and_grad as value_and_grad
    from ._transform import vjp as vjp
    from ._trees import detach as detach
    from ._trees import inner_product as inner_product
    from ._trees import merge as merge
    from ._trees import partition as partition
    from ._trees import tree_sum as tree_sum
    from .verify._check import assert_gradients as assert_gradients
    from .verify._check import check as check

__version__ = "0.1.0"

# Where each public name lives; the same list as above, which type checkers read.
_HOMES = {
    "FuncgradError": "_errors",
    "MissingRuleError": "_errors",
    "Step": "_tape",
    "Tape": "_tape",
    "accumulate_gradients": "_steps",
    "assert_gradients": "verify._check",
    "check": "verify._check",
    "descend": "_descent",
    "Descent": "_descent",
    "detach": "_trees",
    "Diagnosis": "_diagnosis",
    "diagnose": "_diagnosis",
    "Finding": "_diagnosis",
    "gd_step": "_steps",
    "grad": "_transform",
    "graph": "_graph",
    "Graph": "_graph",
    "Picture": "_graph",
    "gradient_descent": "_steps",
    "hessian": "_jacobian",
    "hvp": "_jacobian",
    "inner_product": "_trees",
    "jacrev": "_jacobian",
    "merge": "_trees",
    "minimize": "_descent",
    "models": "models",
    "partition": "_trees",
    "register_vjp": "_extend",
    "scan": "_scan",
    "scan_cost": "_scan",
    "tape": "_transform",
    "tree_sum": "_trees",
    "value_and_grad": "_transform",
    "verify": "verify",
    "vjp": "_transform",
}

__all__ = list(_HOMES)

__getattr__, __dir__ = lazy_names(__name__, _HOMES, ("__version__",))
