"""What an audit measured, as data: cells in rows under a header, and their form in JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any, TypeVar

JAX, OURS = "jax", "funcgrad"
VALUE, REVERSE, FORWARD = "value", "reverse", "forward"
REVERSE_TWICE, FORWARD_REVERSE = "reverse over reverse", "forward over reverse"
# What is measured of each engine, in the order of the tables. Ours has no forward mode of its own.
COLUMNS = {
    JAX: (VALUE, REVERSE, FORWARD, REVERSE_TWICE, FORWARD_REVERSE),
    OURS: (VALUE, REVERSE, REVERSE_TWICE, FORWARD_REVERSE),
}
PAIRS = tuple((engine, column) for engine, columns in COLUMNS.items() for column in columns)

DTYPES = ("float64", "float32", "bfloat16", "float16", "complex128", "complex64")
# What is audited if nothing is said: compiling is what takes the time, and programs differ little
# between dtypes of the same kind.
USUAL_DTYPES = ("float64", "float32", "bfloat16", "complex64")

# From what is best to what is worst. "unchecked": there is nothing independent to compare with.
STATUSES = ("ok", "unchecked", "unsupported", "poor", "raises", "timed out", "crashed", "wrong")
# A cell with one of these fails an audit if it is ours: nothing else may happen to be counted as
# passed because it could not be measured.
FAILED = frozenset({"wrong", "raises", "timed out", "crashed"})

FORMAT = 1


@dataclass(frozen=True)
class Cell:
    """One quantity by one engine.

    Attributes:
        engine: "jax" or "funcgrad".
        column: one of `COLUMNS[engine]`.
        status: one of `STATUSES`.
        digits: of accuracy, at least; None where there is no number.
        reference: what it was compared with.
        message: what was raised or is remarkable; may be empty.
        worse: ours has more than a digit less than JAX's.
    """

    engine: str
    column: str
    status: str
    digits: float | None = None
    reference: str = ""
    message: str = ""
    worse: bool = False


def same_cells(status: str, message: str) -> tuple[Cell, ...]:
    """The cells of a row of which nothing could be measured."""
    return tuple(Cell(*pair, status, message=message) for pair in PAIRS)


@dataclass(frozen=True)
class Row:
    """One case of one primitive in one dtype.

    Attributes:
        primitive: its name.
        family: the form of its rule, such as "elementwise".
        topic: the module of its rule, such as "decompositions".
        case: the number of the case.
        dtype: of the arguments.
        note: what the case says of itself.
        shapes: of the arguments.
        point: the arguments, as text.
        cells: one for each of `PAIRS`.
        seconds: what measuring took.
    """

    primitive: str
    family: str
    topic: str
    case: int
    dtype: str
    note: str
    shapes: str
    point: str
    cells: tuple[Cell, ...]
    seconds: float = 0.0

    @property
    def key(self) -> tuple[str, int, str]:
        """What names the row."""
        return self.primitive, self.case, self.dtype

    def cell(self, engine: str, column: str) -> Cell:
        """The cell of an engine and a column."""
        return next(c for c in self.cells if (c.engine, c.column) == (engine, column))


@dataclass(frozen=True)
class Header:
    """Under which circumstances an audit was made."""

    device: str
    platform: str
    funcgrad: str
    jax: str
    jaxlib: str
    python: str
    machine: str
    seed: int
    uncovered: tuple[str, ...] = ()  # primitives that have a rule and no case


@dataclass(frozen=True)
class Audit:
    """The result of an audit.

    Attributes:
        header: the versions, the machine, the seed.
        rows: what was measured, by primitive, case and dtype.
    """

    header: Header
    rows: tuple[Row, ...]

    def cells(self) -> Iterator[tuple[Row, Cell]]:
        """Every cell with its row."""
        return ((row, cell) for row in self.rows for cell in row.cells)

    @property
    def failed(self) -> tuple[tuple[Row, Cell], ...]:
        """The cells of ours that are wrong, raise, crash or do not end."""
        return tuple(
            (row, cell) for row, cell in self.cells() if cell.engine == OURS and failing(cell)
        )

    @property
    def ok(self) -> bool:
        """Whether none of ours failed."""
        return not self.failed

    def to_json(self) -> str:
        """The audit as JSON, which `from_json` reads."""
        head = json.dumps(asdict(self.header))
        rows = ",\n".join(map(row_text, self.rows))
        return f'{{"funcgrad_audit": {FORMAT}, "header": {head}, "rows": [\n{rows}\n]}}\n'


def failing(cell: Cell) -> bool:
    """Whether a cell, if it is of ours, makes an audit fail."""
    return cell.status in FAILED


@lru_cache(maxsize=8192)  # a growing audit is written again and again
def row_text(row: Row) -> str:
    """A row as one line of JSON."""
    return json.dumps(_strict(asdict(row)), allow_nan=False)


def _strict(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 3) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _strict(entry) for key, entry in value.items()}
    return [_strict(entry) for entry in value] if isinstance(value, list | tuple) else value


def from_json(text: str) -> Audit:
    """Read what `Audit.to_json` wrote.

    Raises:
        ValueError: it is something else; the message says what is amiss.
    """
    record = json.loads(text)
    if not isinstance(record, dict) or "funcgrad_audit" not in record:
        raise ValueError("it does not hold an audit")
    if record["funcgrad_audit"] != FORMAT:
        raise ValueError(f"its form is number {record['funcgrad_audit']!r}, {FORMAT} is read here")
    header = _read(Header, record.get("header"), uncovered=_texts)
    rows = record.get("rows")
    if not isinstance(rows, list):
        raise ValueError("it has no list of rows")
    return Audit(header, tuple(_read(Row, row, cells=_cells) for row in rows))


_Read = TypeVar("_Read", Cell, Row, Header)
_KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,), "int": (int,), "bool": (bool,), "float": (int, float),
    "float | None": (int, float, type(None)),
}  # fmt: skip


def _read(kind: type[_Read], record: Any, **special: Any) -> _Read:
    """A record as a value of one of our classes, every field checked."""
    name = kind.__name__.lower()
    if not isinstance(record, dict):
        raise ValueError(f"a {name} of it is {record!r:.60}")
    found = {}
    for field in fields(kind):
        if field.name not in record:
            raise ValueError(f"a {name} of it lacks {field.name!r}")
        value = record[field.name]
        if field.name in special:
            found[field.name] = special[field.name](value)
        elif isinstance(value, _KINDS[str(field.type)]):
            found[field.name] = value
        else:
            raise ValueError(f"{field.name!r} of a {name} is {value!r:.60}")
    return kind(**found)


def _cells(value: Any) -> tuple[Cell, ...]:
    cells = tuple(_read(Cell, cell) for cell in (value if isinstance(value, list) else [value]))
    if tuple((c.engine, c.column) for c in cells) != PAIRS:
        raise ValueError("a row of it has other cells than an audit's")
    unknown = [c.status for c in cells if c.status not in STATUSES]
    if unknown:
        raise ValueError(f"a cell of it has the status {unknown[0]!r}")
    return cells


def _texts(value: Sequence[Any]) -> tuple[str, ...]:
    return tuple(map(str, value))
