"""All planted faults, each with its corrected twin."""

from __future__ import annotations

from . import (
    faults_algebra,
    faults_axes,
    faults_calls,
    faults_entries,
    faults_factors,
    faults_layers,
    faults_losses,
    faults_numbers,
    faults_orders,
    faults_regions,
    faults_transforms,
)
from .cases import Case

FAULTS: tuple[Case, ...] = (
    *faults_factors.FAULTS,
    *faults_axes.FAULTS,
    *faults_regions.FAULTS,
    *faults_numbers.FAULTS,
    *faults_entries.FAULTS,
    *faults_orders.FAULTS,
    *faults_transforms.FAULTS,
    *faults_calls.FAULTS,
    *faults_losses.FAULTS,
    *faults_layers.FAULTS,
    *faults_algebra.FAULTS,
)
