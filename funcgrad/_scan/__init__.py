"""`scan` with few checkpoints: long recurrences reversed in memory that does not grow with them."""

from ._cost import ScanCost as ScanCost
from ._cost import scan_cost as scan_cost
from ._function import scan as scan
