"""Training on many devices: meshes, and where parameters and batches lie on them."""

from __future__ import annotations

from funcgrad.parallel._mesh import make_mesh, parse_mesh

__all__ = ["make_mesh", "parse_mesh"]
