"""Training on many devices: meshes, where parameters and batches lie, sums that are taken twice."""

from __future__ import annotations

from funcgrad.parallel._collectives import CollectiveWarning, check_collectives
from funcgrad.parallel._mesh import make_mesh, parse_mesh
from funcgrad.parallel._placement import gather, put, replicate, shard_batch, shard_params
from funcgrad.parallel._processes import join_processes, largest_over_processes
from funcgrad.parallel._repeated import RepeatedSum

__all__ = [
    "CollectiveWarning", "RepeatedSum", "check_collectives", "gather", "join_processes",
    "largest_over_processes", "make_mesh", "parse_mesh", "put", "replicate", "shard_batch",
    "shard_params",
]  # fmt: skip
