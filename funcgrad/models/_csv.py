"""A CSV file of numbers, read with an error message for everything that can be wrong with it."""

from __future__ import annotations

import csv
import difflib
import io
import math
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from funcgrad._errors import DataError


class Table(NamedTuple):
    """Named columns of numbers."""

    names: tuple[str, ...]
    values: NDArray[np.float64]  # (rows, columns)


def read_table(path: str | os.PathLike[str], target: str) -> Table:
    """Read a comma-separated file of finite numbers whose header has a column `target`.

    Args:
        path: the file, UTF-8 text (a byte order mark is skipped) with a header line. Blank lines
            are skipped, spaces around names and numbers too.
        target: the name of a column that must be there, beside at least one other.

    Returns:
        The names of all columns and their values as float64, in the order of the file.

    Raises:
        DataError: the file is missing, a folder, unreadable, not UTF-8, not well-formed CSV, empty
            or without a row; a column name is empty, given twice, or the only one; `target` is not
            among them; a row has too few or too many cells; a cell is not a finite number.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "houses.csv")
    ...     _ = file.write_text("area,price\\n50,100\\n80,170\\n")
    ...     read_table(file, "price")
    Table(names=('area', 'price'), values=array([[ 50., 100.],
           [ 80., 170.]]))
    """
    path = Path(path)
    records = _records(path, _text(path))
    _, header = next(records, (0, []))
    if not header:
        raise DataError(f"{path} is empty; its first line must name the columns")
    names = tuple(name.strip() for name in header)
    _require_names(path, names, target)
    rows = [_numbers(path, line, names, cells) for line, cells in records]
    if not rows:
        raise DataError(
            f"{path} has a header, {_listing(names)}, but no row below it; add at least one"
        )
    return Table(names, np.array(rows, np.float64))


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(
            f"there is no file {path}; the current folder is {Path.cwd()}, so check the path"
        ) from None
    except IsADirectoryError:
        raise DataError(f"{path} is a folder; pass the path of a CSV file in it") from None
    except (OSError, ValueError) as error:  # a ValueError: the path has a null character
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"cannot read {str(path)!r}: {reason}; check the path and its permissions"
        ) from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path} is not UTF-8 text: byte {content[error.start]:#04x} on line {line} "
            f"({error.reason}); save it as CSV in UTF-8"
        ) from error


def _records(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield every line that is not blank with the number of its last line in the file."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells) or len(cells) > 1:
                yield reader.line_num, cells
    except csv.Error as error:
        raise DataError(
            f"{path}, line {reader.line_num}: not well-formed CSV, {error}; check the quotes"
        ) from error


def _require_names(path: Path, names: tuple[str, ...], target: str) -> None:
    if "" in names:
        raise DataError(
            f"{path}: column {names.index('') + 1} of the header has no name; name every column"
        )
    repeated = tuple(name for name, times in Counter(names).items() if times > 1)
    if repeated:
        raise DataError(
            f"{path}: the header names {_listing(repeated)} more than once; rename the others"
        )
    if len(names) == 1:
        raise DataError(
            f"{path} has the single column {names[0]!r}; a target and at least one feature are "
            f"needed, separated by commas"
        )
    if target not in names:
        raise DataError(
            f"{path} has no column {target!r}{_suggestion(target, names)}; "
            f"its columns are {_listing(names)}"
        )


def _suggestion(target: str, names: tuple[str, ...]) -> str:
    by_lower_case = {name.lower(): name for name in names}
    close = difflib.get_close_matches(target.strip().lower(), by_lower_case, n=1)
    return f" (did you mean {by_lower_case[close[0]]!r}?)" if close else ""


def _numbers(path: Path, line: int, names: tuple[str, ...], cells: list[str]) -> list[float]:
    if len(cells) != len(names):
        raise DataError(
            f"{path}, line {line}: {len(cells)} cells for the {len(names)} columns of the header, "
            f"{_listing(names)}; give each column one number"
        )
    named = enumerate(zip(names, cells, strict=True), 1)
    return [_number(path, line, place, name, cell) for place, (name, cell) in named]


def _number(path: Path, line: int, place: int, name: str, cell: str) -> float:
    where = f"{path}, line {line}, column {place} ({name!r})"
    try:
        # Python reads 1_000 as a number; in a file it is a typing error.
        value = float(cell.replace("_", "?"))
    except ValueError:
        raise DataError(
            f"{where}: {cell!r} is not a number; correct it, or remove the row or the column"
        ) from None
    if not math.isfinite(value):
        raise DataError(f"{where}: {cell!r} is not a finite number; correct it or remove the row")
    return value


def _listing(names: tuple[str, ...]) -> str:
    return ", ".join(repr(name) for name in names)
