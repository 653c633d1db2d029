"""The VJP rules, one module for each family; importing this package fills the registry."""

from . import branches as branches
from . import calls as calls
from . import collectives as collectives
from . import elementwise as elementwise
from . import indexing as indexing
from . import linalg as linalg
from . import nondifferentiable as nondifferentiable
from . import piecewise as piecewise
from . import reductions as reductions
from . import remat as remat
from . import scans as scans
from . import shape as shape
from . import shard_maps as shard_maps
from . import special as special
from . import whiles as whiles
