"""Conversions to and from extended dtypes: the identity on what represents the values.

An extended dtype names the dtype of its tangents: itself, or an ordinary one (as in
`jax.experimental.primal_tangent_dtype`). The cotangent is converted back to the operand's.
"""

from __future__ import annotations

from typing import Any

from jax import lax

from .. import _jaxcompat as compat
from .._jaxcompat import primitives as p
from .._registry import linear


def _convert_back(ct: Any, operand: Any) -> Any:
    return lax.convert_element_type(ct, compat.cotangent_type(operand).dtype)


linear(p.to_edtype_p, lambda ct, _y, _x: _convert_back(ct, _x), ignores=["edtype"])
linear(p.from_edtype_p, lambda ct, _y, _x: _convert_back(ct, _x), ignores=["dtype"])
