"""``funcgrad audit``: how accurate values and derivatives are, primitive by primitive.

`audit` measures JAX and this package on a backend; what it returns can be kept as JSON, shown as a
page, and compared with an earlier one. Names load on first use. The process that asks for an audit
does not need JAX: only the worker processes import it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from ._baseline import Change as Change
    from ._baseline import Comparison as Comparison
    from ._baseline import compare as compare
    from ._records import Audit as Audit
    from ._records import Cell as Cell
    from ._records import Header as Header
    from ._records import Row as Row
    from ._run import Progress as Progress
    from ._run import audit as audit

# Where each public name lives; the same list as above, which type checkers read.
_HOMES = {
    "Audit": "_records",
    "Cell": "_records",
    "Change": "_baseline",
    "Comparison": "_baseline",
    "Header": "_records",
    "Progress": "_run",
    "Row": "_records",
    "audit": "_run",
    "compare": "_baseline",
}

__all__ = list(_HOMES)

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
