"""Training on many devices: meshes, and where parameters and batches lie on them."""

from __future__ import annotations

from funcgrad.parallel._mesh import make_mesh, parse_mesh
from funcgrad.parallel._placement import gather, put, replicate, shard_batch, shard_params
from funcgrad.parallel._processes import join_processes, largest_over_processes

__all__ = [
    "gather", "join_processes", "largest_over_processes", "make_mesh",
    "parse_mesh", "put", "replicate", "shard_batch", "shard_params",
]  # fmt: skip
