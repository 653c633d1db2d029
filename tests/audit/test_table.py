"""The table on the terminal."""

from __future__ import annotations

import io

from rich.console import Console

from funcgrad.audit import compare
from funcgrad.audit._records import STATUSES, Audit
from funcgrad.audit._table import MARKS, comparison, failures, summary, table, worst
from tests.audit.samples import audit_of, ours, row


def printed(audited: Audit) -> list[str]:
    stream = io.StringIO()
    Console(file=stream, width=80).print(table(audited))
    return stream.getvalue().splitlines()


def test_one_line_for_a_primitive_and_dtype_with_the_worst_case() -> None:
    bad = row(case=1, reverse=ours("reverse", "wrong", 0.3, worse=True))
    lines = printed(
        audit_of(row(), bad, row(dtype="bfloat16"), row("a_very_long_primitive_name_x"))
    )
    assert len(lines) == 4
    assert max(map(len, lines)) <= 80
    assert "<X0.3" in next(line for line in lines if line.startswith("sin") and "f32" in line)
    assert "X" not in next(line for line in lines if "bf16" in line)


def test_every_cell_at_its_widest_fits_80_columns() -> None:
    name, wide = "a_very_long_primitive_name_x", {"worse": True}
    made = row(
        name,
        "complex128",
        value=ours("value", "poor", 15.9, **wide),
        reverse=ours("reverse", "poor", 15.9, **wide),
        reverse_over_reverse=ours("reverse over reverse", "poor", 15.9, **wide),
        forward_over_reverse=ours("forward over reverse", "poor", 15.9, **wide),
    )
    lines = printed(audit_of(made))
    assert max(map(len, lines)) <= 80
    assert lines[1].count("<!15.9") == 4


def test_each_status_has_a_mark_of_its_own() -> None:
    assert set(MARKS) == set(STATUSES)
    assert len({mark for mark, _ in MARKS.values()}) == len(STATUSES)


def test_the_worst_cell() -> None:
    cells = [ours("value", "ok", 3.0), ours("value", "poor", 5.0), ours("value", "poor", 4.0)]
    assert worst(cells) == cells[2]


def test_the_summary_and_the_failures() -> None:
    audited = audit_of(row(), row("cos", value=ours("value", "wrong", 0.0, message="off")))
    text = summary(audited)
    assert "2 primitives, 2 rows on Some <chip>" in text
    assert "JAX: 10 ok; ours: 7 ok, 1 wrong" in text
    assert failures(audited) == ["wrong: cos case 0 float32, value: off"]
    many = audit_of(*[row(case=n, value=ours("value", "raises")) for n in range(30)])
    assert failures(many)[-1] == "... and 10 more"


def test_a_comparison_as_lines() -> None:
    lines = comparison(compare(audit_of(row()), audit_of(row(value=ours("value", "wrong")))))
    assert lines[:2] == ["worse: 1", "  sin case 0 float32, funcgrad value: ok 7.0 -> wrong"]
