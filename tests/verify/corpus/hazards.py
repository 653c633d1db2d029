"""The corpus of functions that are difficult to check and whose derivatives are right."""

from __future__ import annotations

from tests.verify.corpus import (
    hazards_domains,
    hazards_inputs,
    hazards_kinks,
    hazards_layers,
    hazards_loops,
    hazards_rules,
    hazards_scales,
    hazards_solvers,
)
from tests.verify.corpus.cases import Case

HAZARDS: tuple[Case, ...] = (
    hazards_kinks.CASES
    + hazards_scales.CASES
    + hazards_domains.CASES
    + hazards_rules.CASES
    + hazards_solvers.CASES
    + hazards_loops.CASES
    + hazards_inputs.CASES
    + hazards_layers.CASES
)
