"""`diagnose`: where a NaN, an infinity or a zero gradient begins, and what to do about it."""

from ._diagnose import diagnose as diagnose
from ._findings import Diagnosis as Diagnosis
from ._findings import Finding as Finding
