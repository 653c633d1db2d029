"""An audit in JSON, and what is said of other files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from funcgrad._errors import ConfigurationError
from funcgrad.audit._file import check_writable, read_audit
from funcgrad.audit._records import from_json
from tests.audit.samples import audit_of, ours, row


def test_json_is_read_back() -> None:
    audited = audit_of(row(), row("cos", reverse=ours("reverse", "wrong", None, message="x")))
    assert from_json(audited.to_json()) == audited
    assert json.loads(audited.to_json())["header"]["jax"] == "0.12.0"


def test_what_fails_an_audit() -> None:
    assert audit_of(row(reverse=ours("reverse", "poor", 2.0))).ok
    assert audit_of(row(forward_over_reverse=ours("forward over reverse", "unsupported"))).ok
    for status in ("wrong", "raises", "crashed", "timed out"):
        audited = audit_of(row(value=ours("value", status)))
        assert not audited.ok
        assert [cell.status for _, cell in audited.failed] == [status]


def _without(key: str) -> Any:
    record = json.loads(audit_of(row()).to_json())
    del record[key]
    return record


def _changed(**changes: Any) -> Any:
    record = json.loads(audit_of(row()).to_json())
    record["rows"][0].update(changes)
    return record


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"funcgrad_audit": 1, "hea', r"no audit, or a damaged one: .*column"),
        ("[1, 2]", "it does not hold an audit"),
        ('{"a": 1}', "it does not hold an audit"),
        ('{"funcgrad_audit": 9}', "its form is number 9, 1 is read here"),
        (_without("rows"), "it has no list of rows"),
        (_without("header"), "a header of it is None"),
        (_changed(case="a"), "'case' of a row is 'a'"),
        (_changed(cells=[]), "other cells than an audit's"),
    ],
)
def test_another_file_is_refused_in_one_sentence(content: Any, says: str, tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(ConfigurationError, match=says) as caught:
        read_audit(path, "--baseline")
    assert "\n" not in str(caught.value)
    assert "--baseline" in str(caught.value)


def test_bytes_and_no_file_at_all(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="no audit, or a damaged one"):
        read_audit(tmp_path / "x", "--baseline")
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        read_audit(tmp_path / "y", "--baseline")


def test_a_file_that_cannot_be_written_is_noticed(tmp_path: Path) -> None:
    assert check_writable(tmp_path / "a.json", "--out") == tmp_path / "a.json"
    assert not list(tmp_path.iterdir())
    with pytest.raises(ConfigurationError, match="that is a folder"):
        check_writable(tmp_path, "--out")
    with pytest.raises(ConfigurationError, match="there is no folder"):
        check_writable(tmp_path / "no" / "a.json", "--out")
