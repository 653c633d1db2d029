"""Training on many devices: meshes, and where parameters and batches lie on them."""

from __future__ import annotations

from funcgrad.parallel._mesh import make_mesh, parse_mesh
from funcgrad.parallel._placement import gather, put, replicate, shard_batch, shard_params

__all__ = ["gather", "make_mesh", "parse_mesh", "put", "replicate", "shard_batch", "shard_params"]
