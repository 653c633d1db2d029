"""Audits in worker processes: planted faults, deaths, interrupts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from funcgrad._errors import ConfigurationError
from funcgrad.audit import Audit, Cell, Progress, audit
from funcgrad.audit._file import read_audit
from funcgrad.audit._select import select
from funcgrad.audit._worker import Offer

PLANTED = ["tests.audit.planted"]


@pytest.fixture(scope="module")
def audited() -> Audit:
    """Every planted primitive; two of the workers do not survive it."""
    return audit(["planted"], ["float32"], imports=PLANTED, time_limit=4.0)


def ours(audited: Audit, name: str, column: str) -> Cell:
    return next(r for r in audited.rows if r.primitive == name).cell("funcgrad", column)


def test_a_right_rule_is_right(audited: Audit) -> None:
    for column in ("value", "reverse", "reverse over reverse"):
        cell = ours(audited, "planted_right", column)
        assert cell.status == "ok"
        assert cell.digits is not None
        assert cell.digits > 6.5
    assert ours(audited, "planted_right", "reverse").reference.startswith("differences")


def test_jax_without_a_rule_is_unsupported_and_forward_over_ours_too(audited: Audit) -> None:
    row = audited.rows[0]
    assert row.cell("jax", "value").status == "ok"
    assert row.cell("jax", "reverse").status == "unsupported"
    assert "Differentiation rule" in row.cell("jax", "forward").message


@pytest.mark.parametrize("name", ["planted_sign", "planted_nan"])
def test_a_planted_wrong_rule_is_wrong(audited: Audit, name: str) -> None:
    cell = ours(audited, name, "reverse")
    assert cell.status == "wrong"
    assert ours(audited, name, "value").status == "ok"
    assert (name, "reverse") in {(row.primitive, c.column) for row, c in audited.failed}


def test_a_small_fault_is_no_rounding(audited: Audit) -> None:
    cell = ours(audited, "planted_small", "reverse")
    assert cell.status == "poor"
    assert cell.digits == pytest.approx(3.0, abs=0.1)


def test_what_is_raised_is_told_in_one_line(audited: Audit) -> None:
    cell = ours(audited, "planted_raise", "reverse")
    assert (cell.status, cell.message) == ("raises", "ValueError: planted")


def test_a_dead_worker_costs_one_part_of_a_row(audited: Audit) -> None:
    cell = ours(audited, "planted_death", "reverse")
    assert (cell.status, cell.message) == ("crashed", "the process ended with exit code 7")
    row = next(r for r in audited.rows if r.primitive == "planted_death")
    assert row.cell("jax", "value").status == "ok"


def test_a_hang_ends(audited: Audit) -> None:
    cell = ours(audited, "planted_hang", "reverse")
    assert (cell.status, cell.message) == ("timed out", "no end after 4 s")
    assert len(audited.rows) == 7


def test_an_interrupt_keeps_what_is_done_and_resume_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "a.json"
    names = ["sin", "cos", "neg"]

    def stop(now: Progress) -> None:
        if now.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="interrupted: 2 of 3 rows are measured"):
        audit(names, ["float32"], out=out, progress=stop)
    kept = read_audit(out, "--out")
    assert len(kept.rows) == 2
    seen: list[Progress] = []
    whole = audit(names, ["float32"], out=out, resume=True, progress=seen.append)
    assert [(p.done, p.total) for p in seen] == [(3, 3)]
    assert read_audit(out, "--out").to_json() == whole.to_json()
    assert whole.ok
    foreign = dataclasses.replace(kept, header=dataclasses.replace(kept.header, jax="0.1"))
    out.write_text(foreign.to_json())
    with pytest.raises(ConfigurationError, match=r"was made with jax 0\.1, and this run has"):
        audit(names, ["float32"], out=out, resume=True)


OFFERS = (
    Offer("sin", "elementwise", "elementwise", 0, ("float64", "float32", "float16"), "", ""),
    Offer("sort", "structured", "sorting", 0, ("float32",), "", ""),
)


def test_what_is_selected() -> None:
    assert len(select(OFFERS, (), ())) == 2
    assert [j.offer.primitive for j in select(OFFERS, ("sorting",), ())] == ["sort"]
    assert [j.dtypes for j in select(OFFERS, ("elementwise",), ("float32",))] == [("float32",)]
    assert [j.dtypes for j in select(OFFERS, ("sin",), ())] == [("float64", "float32")]
    assert select(OFFERS, ("sin",), ("all",))[0].dtypes == OFFERS[0].dtypes
    with pytest.raises(ConfigurationError, match=r"--only sins: .* did you mean sin"):
        select(OFFERS, ("sins",), ())
    with pytest.raises(ConfigurationError, match="dtype 'float8': choose from float64"):
        select(OFFERS, (), ("float8",))
    with pytest.raises(ConfigurationError, match="none of sort is for float64"):
        select(OFFERS, ("sort",), ("float64",))


def test_options_that_make_no_audit() -> None:
    with pytest.raises(ConfigurationError, match="device 'cup': choose from cpu, gpu, tpu"):
        audit(device="cup")
    with pytest.raises(ConfigurationError, match="--jobs 0: at least one"):
        audit(jobs=0)
    with pytest.raises(ConfigurationError, match="add --out"):
        audit(resume=True)
    with pytest.raises(ConfigurationError, match="lets nothing end"):
        audit(time_limit=0.0)
