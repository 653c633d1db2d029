"""Two audits compared, cell by cell."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ._records import STATUSES, Audit, Cell, Row

MORE = 1.0  # digits: what is no accident of the rounding
# By how much a status is worse than another one; what is not offered is no fault.
_WEIGHT = {status: number for number, status in enumerate(STATUSES)} | {"unsupported": 0}
_WEIGHT["unchecked"] = 0


@dataclass(frozen=True)
class Change:
    """A cell that is not what it was.

    Attributes:
        row: where; of a cell that is gone, the earlier row.
        before, after: the cell; None where there is none.
    """

    row: Row
    before: Cell | None
    after: Cell | None


@dataclass(frozen=True)
class Comparison:
    """What an audit says beside an earlier one.

    Attributes:
        circumstances: what of the two headers differs, as lines.
        worse, better: cells whose status or digits changed.
        gone, new: cells that only one of the two has.
    """

    circumstances: tuple[str, ...]
    worse: tuple[Change, ...]
    better: tuple[Change, ...]
    gone: tuple[Change, ...]
    new: tuple[Change, ...]


def compare(earlier: Audit, later: Audit, *, whole: bool = True) -> Comparison:
    """Compare two audits.

    Args:
        earlier: the baseline.
        later: the audit in question.
        whole: whether both were to have the same rows; otherwise what the later one lacks is not
            counted as gone.

    >>> from funcgrad.audit import Audit, Header, compare
    >>> old = Audit(Header("cpu", "cpu", "1", "0.10.2", "0.10.2", "3.12", "Linux", 0), ())
    >>> new = Audit(Header("cpu", "cpu", "1", "0.12.0", "0.12.0", "3.12", "Linux", 0), ())
    >>> compare(old, new).circumstances
    ('jax: 0.10.2, now 0.12.0', 'jaxlib: 0.10.2, now 0.12.0')
    """
    before, after = _by_key(earlier), _by_key(later)
    both = [Change(after[key][0], before[key][1], after[key][1]) for key in after if key in before]
    return Comparison(
        _circumstances(earlier, later),
        tuple(c for c in both if _direction(c) < 0),
        tuple(c for c in both if _direction(c) > 0),
        tuple(Change(*pair, None) for key, pair in before.items() if key not in after and whole),
        tuple(Change(row, None, cell) for key, (row, cell) in after.items() if key not in before),
    )


def _by_key(audit: Audit) -> dict[tuple[object, ...], tuple[Row, Cell]]:
    return {(*row.key, cell.engine, cell.column): (row, cell) for row, cell in audit.cells()}


def _circumstances(earlier: Audit, later: Audit) -> tuple[str, ...]:
    old, new = asdict(earlier.header), asdict(later.header)
    return tuple(
        f"{name}: {old[name]}, now {new[name]}"
        for name in old
        if name != "uncovered" and old[name] != new[name]
    )


def _direction(change: Change) -> int:
    """-1 for worse, 1 for better, 0 for neither."""
    before, after = change.before, change.after
    assert before is not None
    assert after is not None
    lost = _WEIGHT[after.status] - _WEIGHT[before.status]
    if "unsupported" in (before.status, after.status) and before.status != after.status:
        # A number that is no longer to be had is a loss; one that is had now, if right, a gain.
        lost = 1 if after.status == "unsupported" or lost > 0 else -1
    if lost:
        return -1 if lost > 0 else 1
    if before.digits is None or after.digits is None:
        return 0
    gained = after.digits - before.digits
    return 0 if abs(gained) <= MORE else (1 if gained > 0 else -1)


def change_text(change: Change) -> str:
    """A change as one line."""
    row, cell = change.row, change.after or change.before
    assert cell is not None
    where = f"{row.primitive} case {row.case} {row.dtype}, {cell.engine} {cell.column}"
    return f"{where}: {_said(change.before)} -> {_said(change.after)}"


def _said(cell: Cell | None) -> str:
    if cell is None:
        return "none"
    return cell.status if cell.digits is None else f"{cell.status} {cell.digits:.1f}"
