"""JAX programs run by NumPy and SciPy: nothing is compiled, and no code of XLA takes part.

A random program is run a few times only, so that compiling it takes many times as long as running
it. Here it is traced, which is cheap, and what was traced is run equation by equation. Since the
arithmetic is not that of the backend, the values are also independent witnesses of its values.
"""

from ._machine import Machine as Machine
from ._machine import Watch as Watch
from ._staged import staged as staged
from ._table import RULES as RULES
