"""The VJP rules, one module for each family; importing this package fills the registry."""

from . import calls as calls
from . import elementwise as elementwise
from . import indexing as indexing
from . import linalg as linalg
from . import nondifferentiable as nondifferentiable
from . import piecewise as piecewise
from . import reductions as reductions
from . import shape as shape
from . import special as special
