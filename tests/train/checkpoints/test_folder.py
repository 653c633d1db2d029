"""Checkpoints through the command line and the store: whole, safe, and of the right run."""

from __future__ import annotations

import json
import pickle
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from funcgrad._errors import CheckpointError, ConfigurationError
from funcgrad.cli import main
from funcgrad.train import command
from funcgrad.train.checkpoints import folder
from funcgrad.train.checkpoints.integrity import digest
from funcgrad.train.checkpoints.store import FORMAT, Checkpoints
from funcgrad.train.options_long_runs import LATEST
from tests.train.checkpoints import damage

Train = Callable[..., int]
SMALL = ("--width", "8", "--warm-start-steps", "0", "--optimizer", "adam")


@pytest.fixture
def train(tmp_path: Path) -> Train:
    """A function that trains into a folder, with checkpoints every ten steps."""

    def run(*words: str, out: str = "out") -> int:
        checkpoint = ("--checkpoint", str(tmp_path / "kept"), "--every", "10")
        return main(["train", *SMALL, "--out", str(tmp_path / out), *checkpoint, *words])

    return run


def steps(folder: Path) -> list[int]:
    return sorted(int(path.name.split("_")[1]) for path in folder.glob("checkpoint_*"))


def params(folder: Path) -> dict[str, bytes]:
    with np.load(folder / "parameters.npz") as loaded:
        return {name: loaded[name].tobytes() for name in loaded}


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.splitlines()[-1]


# --- going on -------------------------------------------------------------------------------------


@pytest.mark.parametrize("batches", [(), ("--batch-size", "5")], ids=["whole", "batches"])
def test_a_longer_run_goes_on_bit_by_bit(
    batches: tuple[str, ...], train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("--steps", "25", *batches) == 0
    assert steps(tmp_path / "kept") == [10, 20, 25]
    assert train("--steps", "60", "--resume", *batches) == 0
    assert "goes on from the checkpoint of step 25" in capsys.readouterr().err
    assert main(["train", *SMALL, "--steps", "60", "--out", str(tmp_path / "one"), *batches]) == 0
    assert params(tmp_path / "out") == params(tmp_path / "one")
    resumed, whole = (
        json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("out", "one")
    )
    assert resumed["losses"] == whole["losses"]
    assert resumed["gradient_difference"] == whole["gradient_difference"]


def test_only_so_many_checkpoints_stay(train: Train, tmp_path: Path) -> None:
    assert train("--steps", "60", "--keep", "2") == 0
    assert steps(tmp_path / "kept") == [50, 60]


def test_resuming_before_the_first_checkpoint_begins(train: Train, tmp_path: Path) -> None:
    assert train("--steps", "10", "--resume") == 0
    assert steps(tmp_path / "kept") == [10]


def test_a_finished_run_is_only_told_again(train: Train, tmp_path: Path) -> None:
    assert train("--steps", "20") == 0
    before = params(tmp_path / "out")
    assert train("--steps", "20", "--resume", out="again") == 0
    assert params(tmp_path / "again") == before


def test_an_earlier_step_sets_later_ones_aside(train: Train, tmp_path: Path) -> None:
    assert train("--steps", "30") == 0
    before = params(tmp_path / "out")
    assert train("--steps", "30", "--resume", "10") == 0
    assert steps(tmp_path / "kept") == [10, 20, 30]
    names = sorted(path.name for path in (tmp_path / "kept" / "set-aside").iterdir())
    assert names == ["checkpoint_20.0", "checkpoint_30.0"]
    assert params(tmp_path / "out") == before


# --- what is refused ------------------------------------------------------------------------------


def test_a_folder_with_checkpoints_is_not_overwritten(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("--steps", "20") == 0
    assert train("--steps", "10") == 2
    assert "holds the checkpoints of a run (the last of step 20); go on" in last_line(capsys)
    assert steps(tmp_path / "kept") == [10, 20]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--learning-rate", "0.5"), "is of another run: --learning-rate 0.001 there, 0.5 here."),
        (("--width", "4"), "--width 8 there, 4 here."),
        (("--seed", "1"), "--seed 2021 there, 1 here; examples "),
        (("--clip-norm", "2"), "--clip-norm not given there, 2.0 here."),
        (("--optimizer", "sgd"), "there is no optimizer"),
        (("--steps", "5"), "of step 20 is beyond the 5 steps of this run"),
        (("--resume", "15"), "there is no checkpoint of step 15 in"),
    ],
)
def test_another_run_is_told_apart(
    words: tuple[str, ...], message: str, train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("--steps", "20") == 0
    assert train("--steps", "20", "--resume", *words) == 2
    assert message in last_line(capsys)


def test_other_examples_are_told_apart(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "t.csv"
    data.write_text("a,b\n1,2\n2,3\n3,5\n")
    words = ("--data", str(data), "--target", "b", "--steps", "10")
    assert train(*words) == 0
    data.write_text("a,b\n1,2\n2,3\n3,6\n")
    assert train(*words, "--resume") == 2
    assert "is of another run: examples " in last_line(capsys)


def rewritten(folder: Path, change: dict[str, Any]) -> None:
    """Change the record of a checkpoint, and its digest with it."""
    path = folder / "run" / "metadata"
    content = json.loads(path.read_text()) | change
    content.pop("digest")
    path.write_text(json.dumps(content | {"digest": digest(content)}))


def test_a_newer_one_is_refused_and_the_older_offered(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("--steps", "20") == 0
    rewritten(tmp_path / "kept" / "checkpoint_20", {"format": FORMAT + 1, "funcgrad": "9.9.9"})
    assert train("--steps", "20", "--resume") == 2
    line = last_line(capsys)
    assert f"was written by a newer funcgrad (9.9.9, format {FORMAT + 1}; this one, " in line
    assert line.endswith("of step 10, is whole: go on from it by --resume 10")
    assert train("--steps", "20", "--resume", "10") == 0


def test_a_foreign_one_is_refused(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("--steps", "10") == 0
    foreign = tmp_path / "kept" / "checkpoint_20"
    foreign.mkdir()
    (foreign / "model.pkl").write_bytes(b"something else")
    assert train("--steps", "20", "--resume") == 2
    line = last_line(capsys)
    assert "step 20 in" in line
    assert "is damaged" in line
    assert line.endswith("--resume 10")


class Bomb:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_nothing_in_a_checkpoint_is_run(tmp_path: Path) -> None:
    """Every file of a checkpoint is replaced by a pickle that would leave a trace."""
    compiled, trace = damage.program(), tmp_path / "trace"
    damage.written(tmp_path / "whole", compiled)
    bomb = pickle.dumps(Bomb(trace))
    for path in (tmp_path / "whole" / f"checkpoint_{damage.STEPS}").rglob("*"):
        if path.is_file():
            path.write_bytes(bomb)
    store = Checkpoints(tmp_path / "whole", damage.EVERY, 3, damage.RUN, compiled)
    with pytest.raises(CheckpointError, match=f"--resume {damage.EVERY}"):
        store.resume(LATEST)
    store.close()
    assert not trace.exists()
    pickle.loads(bomb)  # so the silence above means something
    assert trace.exists()


def test_a_second_run_does_not_write_to_the_folder_of_the_first(tmp_path: Path) -> None:
    tmp_path.joinpath("kept").mkdir()
    with (
        folder._locked(tmp_path / "kept"),
        pytest.raises(CheckpointError, match="another run writes its checkpoints to"),
        folder._locked(tmp_path / "kept"),
    ):
        pass


def test_a_run_that_is_refused_leaves_what_the_other_one_writes(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = tmp_path / "kept" / "checkpoint_10.orbax-checkpoint-tmp"
    begun.mkdir(parents=True)
    with folder._locked(tmp_path / "kept"):
        assert train("--steps", "10", "--resume") == 2
    assert "another run writes its checkpoints to" in last_line(capsys)
    assert begun.exists()


def test_without_orbax_the_run_ends_before_it_begins(
    train: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> Any:
        if name == "funcgrad.train.checkpoints.folder":
            raise ConfigurationError('install it by pip install "funcgrad[checkpoint]"')
        raise AssertionError(name)

    monkeypatch.setattr(command, "import_module", missing)
    assert train("--steps", "20") == 2
    assert 'pip install "funcgrad[checkpoint]"' in last_line(capsys)


@pytest.mark.parametrize("words", ["--every 5", "--resume", "--on-nonfinite restore"])
def test_what_needs_a_folder_says_so(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *words.split()]) == 2
    assert f"{words.removesuffix(' 5')} needs --checkpoint DIR" in last_line(capsys)


@pytest.mark.parametrize("words", [("--checkpoint", ""), ("--out", "")], ids=str)
def test_an_empty_folder_is_a_mistake(
    words: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *words]) == 2
    assert f"argument {words[0]}: must be the path of a folder" in last_line(capsys)


def test_a_file_is_no_folder_for_checkpoints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    words = ["--checkpoint", str(tmp_path / "file" / "below"), "--out", str(tmp_path / "out")]
    assert main(["train", *SMALL, *words]) == 2
    assert last_line(capsys).endswith("Not a directory; choose another one by --checkpoint DIR")


def test_what_a_killed_run_began_is_removed(train: Train, tmp_path: Path) -> None:
    begun = tmp_path / "kept" / "checkpoint_10.orbax-checkpoint-tmp"
    begun.mkdir(parents=True)
    assert train("--steps", "10") == 0
    assert not begun.exists()
    assert steps(tmp_path / "kept") == [10]


# --- a full disk ----------------------------------------------------------------------------------


def test_a_full_disk_keeps_the_results_and_the_last_checkpoint(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files can grow to a few bytes only, from the second checkpoint on."""
    save, limit = Checkpoints.save, resource.getrlimit(resource.RLIMIT_FSIZE)

    def full(self: Checkpoints, record: Any) -> None:
        if record.position.done == 20:
            self.wait()
            resource.setrlimit(resource.RLIMIT_FSIZE, (64, limit[1]))
        try:
            save(self, record)
            self.wait()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoints, "save", full)
        assert train("--steps", "60") == 2
    line = last_line(capsys)
    assert "the checkpoint of step 20 cannot be written to" in line
    assert "the last whole one is of step 10. When the cause is mended" in line
    losses = json.loads((tmp_path / "out" / "metrics.json").read_text())["losses"]
    assert len(losses) == 20
    assert train("--steps", "60", "--resume") == 0
    assert main(["train", *SMALL, "--steps", "60", "--out", str(tmp_path / "one")]) == 0
    assert params(tmp_path / "out") == params(tmp_path / "one")
