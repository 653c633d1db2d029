"""Trust: is a gradient right?

Names load on first use, as those of the package do: importing this costs nothing, does not import
JAX, and only what needs Hypothesis (`check_over`, `property_check`, `strategies`, `programs`) asks
for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazy_names

if TYPE_CHECKING:
    from ..search._strategy import programs as programs
    from . import strategies as strategies
    from ._check import assert_gradients as assert_gradients
    from ._check import check as check
    from ._findings import Finding as Finding
    from ._findings import GradientError as GradientError
    from ._findings import Report as Report
    from ._optimizer import check_optimizer as check_optimizer
    from ._property import check_over as check_over
    from ._property import property_check as property_check
    from ._reproducer import reproducer as reproducer
    from ._rule import check_vjp_rule as check_vjp_rule

# Where each public name lives; the same list as above, which type checkers read.
_HOMES = {
    "Finding": "_findings",
    "GradientError": "_findings",
    "Report": "_findings",
    "assert_gradients": "_check",
    "check": "_check",
    "check_optimizer": "_optimizer",
    "check_over": "_property",
    "check_vjp_rule": "_rule",
    "programs": ".search._strategy",
    "property_check": "_property",
    "reproducer": "_reproducer",
    "strategies": "strategies",
}

__all__ = list(_HOMES)

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
