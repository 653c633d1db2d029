import json
import os
import stat
from pathlib import Path
from typing import IO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcgrad._errors import ConfigurationError
from funcgrad.train.output import as_json, prepare, write, write_arrays, write_text


def test_a_folder_is_made_with_its_parents_and_stays_empty(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    prepare(folder)
    prepare(folder)
    assert list(folder.iterdir()) == []


def test_a_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"folder .*/file: a file has that name; choose"):
        prepare(tmp_path / "file")
    with pytest.raises(ConfigurationError, match=r"folder .*/file/below: Not a directory; choose"):
        prepare(tmp_path / "file" / "below")


def test_a_folder_without_permission_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, mode: str) -> IO[bytes]:
        raise PermissionError(13, "Permission denied", str(path), mode)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ConfigurationError, match=r"Permission denied; choose another one by --out"):
        prepare(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigurationError, match="Permission denied"):
        prepare(tmp_path)


def test_a_file_replaces_an_older_one(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    write_text(path, "old")
    write_text(path, "new ü")
    assert path.read_text(encoding="utf-8") == "new ü"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_has_the_usual_permissions(tmp_path: Path) -> None:
    write_text(tmp_path / "ours", "")
    (tmp_path / "usual").touch()
    ours, usual = (stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ours", "usual"))
    assert ours == usual


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: BaseException
) -> None:
    path = tmp_path / "metrics.json"
    write_text(path, "old")

    def fail(file: IO[bytes]) -> None:
        file.write(b"half")
        raise error

    with pytest.raises(type(error)):
        write(path, fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_arrays_come_back(tmp_path: Path) -> None:
    path = tmp_path / "parameters.npz"
    write_arrays(path, {"w": np.array([[1, 2]], np.float32), "b": np.array([3])})
    with np.load(path) as loaded:
        assert {name: loaded[name].tolist() for name in loaded} == {"w": [[1, 2]], "b": [3]}


def refuse_constants(text: str) -> None:
    raise AssertionError(f"{text} is no JSON")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), values, max_size=4))
def test_json_is_strict_and_complete(record: dict[str, object]) -> None:
    loaded = json.loads(as_json(record), parse_constant=refuse_constants)
    assert loaded == nulled(record)


def nulled(value: object) -> object:
    if isinstance(value, dict):
        return {key: nulled(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [nulled(entry) for entry in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
