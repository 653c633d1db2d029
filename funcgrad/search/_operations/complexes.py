"""Complex numbers: in, out and among themselves."""

from __future__ import annotations

import numpy as np

from .._domains import EVERYWHERE, any_shape, complex_, like, real
from .._kinds import Adapter, Domain, Operation, Slot, Values

FAMILY = "complex"


def of_moderate_size(values: Values) -> bool:
    """Away from zero, where a modulus or an angle has a kink or pole."""
    sizes = np.abs(values)
    return bool((sizes > 0.2).all() and (sizes < 20).all())


def off_the_cut(values: Values) -> bool:
    """Away from the negative real axis, where the principal branches jump."""
    return of_moderate_size(values) and bool((np.abs(np.angle(values)) < 2.9).all())


ADAPTERS = (Adapter("tame_complex", {}),)
NONZERO = Domain("nonzero", of_moderate_size, ADAPTERS)
OFF_CUT = Domain("off the branch cut", off_the_cut, ADAPTERS)
SMALL = Domain("small", lambda values: bool((np.abs(values) < 2).all()), ADAPTERS)
UNIT = Domain(
    "inside", lambda values: bool((np.abs(values) < 0.95).all()), (Adapter("tiny_complex", {}),)
)


def of_complex(
    name: str, template: str, domain: Domain = EVERYWHERE, dtypes: str = "c"
) -> Operation:
    return Operation(name, FAMILY, template, (Slot(any_shape, domain, dtypes),), wide=True)


OPERATIONS = (
    Operation("complex", FAMILY, "lax.complex({0}, {1})", (real(), real(like(0))), wide=True),
    of_complex("to_complex", "{0} + 0.5j * jnp.cos({0})", dtypes="f"),
    of_complex(
        "tame_complex", "(1 + 0.25j) + 0.5 * lax.complex(jnp.sin({0}.real), jnp.cos({0}.imag))"
    ),
    of_complex("tiny_complex", "0.5 * lax.complex(jnp.sin({0}.real), jnp.cos({0}.imag))"),
    of_complex("real", "jnp.real({0})"),
    of_complex("imag", "jnp.imag({0})"),
    of_complex("real_minus_imag", "{0}.real - {0}.imag"),
    of_complex("conj", "jnp.conj({0})"),
    of_complex("complex_abs", "jnp.abs({0})", NONZERO),
    of_complex("angle", "jnp.angle({0})", OFF_CUT),
    of_complex("abs_squared", "({0} * jnp.conj({0})).real"),
    of_complex("phase", "{0} / jnp.abs({0})", NONZERO),
    of_complex("complex_log", "jnp.log({0})", OFF_CUT),
    of_complex("complex_sqrt", "jnp.sqrt({0})", OFF_CUT),
    of_complex("complex_exp", "jnp.exp({0})", SMALL),
    of_complex("complex_tanh", "jnp.tanh(0.5 * {0})", SMALL),
    of_complex("complex_reciprocal", "1 / {0}", NONZERO),
    of_complex("complex_power", "{0} ** 1.5", OFF_CUT),
    of_complex("complex_arctanh", "jnp.arctanh({0})", UNIT),
    of_complex("complex_sinh", "jnp.sinh({0})", SMALL),
    of_complex("complex_log1p", "jnp.log1p({0})", UNIT),
    of_complex("rotated", "{0} * jnp.exp(1j * {0}.real)"),
    Operation(
        "complex_div", FAMILY, "{0} / {1}", (complex_(), complex_(like(0), NONZERO)), wide=True
    ),
    Operation(
        "hermitian", FAMILY, "{0} @ {0}.conj().T", (complex_(lambda s: len(s) == 2),), wide=True
    ),
)
