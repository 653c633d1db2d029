"""Primitives through which no gradient flows: their outputs are constants almost everywhere."""

from __future__ import annotations

from .._jaxcompat import primitives as p
from .._registry import no_derivative

# Comparisons, logic and bits.
no_derivative(
    p.eq_p, p.ne_p, p.lt_p, p.le_p, p.gt_p, p.ge_p, p.eq_to_p, p.lt_to_p, p.le_to_p,
    p.and_p, p.or_p, p.xor_p, p.not_p, p.shift_left_p, p.shift_right_arithmetic_p,
    p.shift_right_logical_p, p.population_count_p, p.clz_p, p.is_finite_p,
    p.bitcast_convert_type_p, p.mulhi_p,
)  # fmt: skip

# Staircases.
no_derivative(p.floor_p, p.ceil_p, p.round_p)

# Positions and counts.
no_derivative(
    p.argmax_p, p.argmin_p, p.iota_p, p.reduce_and_p, p.reduce_or_p, p.reduce_xor_p, p.axis_index_p
)

# Cut on purpose.
no_derivative(p.stop_gradient_p)
