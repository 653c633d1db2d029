"""The state of a search: saved, read again, refused if it is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from funcgrad import FuncgradError
from funcgrad.search._coverage import Coverage
from funcgrad.search._state import State, load_state, save_state


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    state = State(3, "settings", "versions", {0, 1, 2, 5, 9}, 40, 1.5, [{"who": "ours"}])
    state.coverage.add({"primitives": ["sin", "cos"], "orders": ["1"]})
    save_state(tmp_path, state)
    found = load_state(tmp_path)
    assert isinstance(found.coverage, Coverage)
    assert found.coverage.to_json() == state.coverage.to_json()
    found.coverage = state.coverage
    assert found == state
    assert list(found.missing(8)) == [3, 4, 6, 7]
    assert [path.name for path in tmp_path.iterdir()] == ["search.json"]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"version": 1, "done": [[0, 1]]}'])
def test_a_damaged_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "search.json").write_text(content)
    with pytest.raises(FuncgradError, match=r"search\.json is damaged .*begin anew"):
        load_state(tmp_path)


def test_another_version_and_no_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FuncgradError, match="there is no search to resume in"):
        load_state(tmp_path)
    (tmp_path / "search.json").write_text('{"version": 99}')
    with pytest.raises(FuncgradError, match="another version"):
        load_state(tmp_path)
