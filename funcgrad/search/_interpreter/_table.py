"""Every primitive that NumPy runs, by its name."""

from __future__ import annotations

from collections.abc import Mapping

from . import _contractions, _control, _elementwise, _indexing, _matrices, _reductions, _shapes
from ._rule import Rule

RULES: Mapping[str, Rule] = {
    **_elementwise.RULES,
    **_shapes.RULES,
    **_indexing.RULES,
    **_reductions.RULES,
    **_contractions.RULES,
    **_matrices.RULES,
    **_control.RULES,
}
