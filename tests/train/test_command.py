"""`funcgrad train` inside this process; through a shell it is in tests/test_cli.py."""

import io
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from funcgrad.cli import main
from funcgrad.models import accuracy, digits, init_widenet, noisy_sine, widenet, widenet_loss
from funcgrad.train import command, output, run

HOUSES = "area,rooms,price\n50,2,100\n80,3,170\n65,2,130\n120,5,240\n95,4,190\n"
FILES = ["metrics.json", "parameters.npz", "widenet.png"]


def metrics(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return loaded


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def train(tmp_path: Path) -> Any:
    """A function that trains a small network into the folder `tmp_path / "out"`."""

    return lambda *words: main(["train", "--width", "8", "--out", str(tmp_path / "out"), *words])


def test_the_files_are_written(train: Any, tmp_path: Path) -> None:
    assert train("--steps", "6", "--seed", "3") == 0
    folder = tmp_path / "out"
    assert names(folder) == FILES
    record = metrics(folder)
    assert len(record["losses"]) == record["steps"] == 6
    assert record["configuration"]["seed"] == 3
    assert record["reference_difference"] is None
    assert record["gradient_difference"]["first"] == pytest.approx(0, abs=1e-6)
    with np.load(folder / "parameters.npz") as loaded:
        shapes = {name: loaded[name].shape for name in loaded}
    assert shapes == jax.tree.map(np.shape, init_widenet(3, 8))


def test_the_saved_parameters_have_the_next_loss(train: Any, tmp_path: Path) -> None:
    words = ("--optimizer", "gd", "--warm-start-steps", "0", "--steps")
    train(*words, "5")
    with np.load(tmp_path / "out" / "parameters.npz") as loaded:
        params = dict(loaded)
    train(*words, "6")
    record = metrics(tmp_path / "out")
    data = noisy_sine(2021)
    loss = float(widenet_loss(params, data.x, data.y))
    assert loss == pytest.approx(record["losses"][5], rel=1e-5)


def test_json_is_the_only_thing_on_stdout(
    train: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("--steps", "2", "--json") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out) == metrics(tmp_path / "out")
    assert shown.out == (tmp_path / "out" / "metrics.json").read_text()
    assert "initial loss" in shown.err


def test_the_table_is_on_stdout(train: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert train("--steps", "2") == 0
    shown = capsys.readouterr()
    assert "2nd and last loss" in shown.out
    assert "training: step 3 of 3" in shown.err
    assert "training" not in shown.out.replace("seconds for training", "")


def test_the_reference_is_compared(train: Any, tmp_path: Path) -> None:
    assert train("--steps", "12", "--reference", "--optimizer", "adam", "--batch-size", "5") == 0
    difference = metrics(tmp_path / "out")["reference_difference"]
    assert len(difference["per_step"]) == 12
    assert difference["largest"] == max(difference["per_step"]) < 1e-5


@pytest.mark.parametrize("data", ["digits", "diabetes"])
def test_the_packaged_data_are_learned(data: str, train: Any, tmp_path: Path) -> None:
    assert train("--data", data, "--width", "64") == 0
    record = metrics(tmp_path / "out")
    assert record["losses"][-1] < 0.5 * record["initial_loss"]
    assert ("accuracy" in record) == (data == "digits")
    assert names(tmp_path / "out") == FILES


def test_the_accuracy_is_that_of_the_saved_parameters(train: Any, tmp_path: Path) -> None:
    assert train("--data", "digits", "--steps", "40", "--batch-size", "100") == 0
    with np.load(tmp_path / "out" / "parameters.npz") as loaded:
        params = {name: jax.numpy.asarray(loaded[name]) for name in loaded}
    data = digits(2021)
    assert data.x_test is not None
    assert data.y_test is not None
    expected = float(accuracy(widenet(params, data.x_test), data.y_test))
    assert metrics(tmp_path / "out")["accuracy"] == pytest.approx(expected)
    assert expected > 0.3


def test_a_csv_file_is_learned(train: Any, tmp_path: Path) -> None:
    path = tmp_path / "houses.csv"
    path.write_text(HOUSES)
    assert train("--data", str(path), "--target", "price", "--steps", "200") == 0
    record = metrics(tmp_path / "out")
    assert record["losses"][-1] < 0.1 * record["initial_loss"]
    assert record["parameters"] == 2 * 8 + 8 + 8 + 1


def test_without_steps_only_the_initial_loss_is_known(train: Any, tmp_path: Path) -> None:
    assert train("--steps", "0", "--warm-start-steps", "0", "--reference") == 0
    record = metrics(tmp_path / "out")
    assert (record["losses"], record["reference_difference"]) == ([], None)
    assert record["initial_loss"] > 0


def test_the_initial_loss_is_over_all_examples_with_mini_batches(
    train: Any, tmp_path: Path
) -> None:
    train("--steps", "1", "--warm-start-steps", "0")
    whole = metrics(tmp_path / "out")
    train("--steps", "1", "--warm-start-steps", "0", "--batch-size", "3")
    part = metrics(tmp_path / "out")
    assert part["initial_loss"] == pytest.approx(whole["initial_loss"], rel=1e-6)
    assert part["losses"][0] != pytest.approx(whole["losses"][0], rel=1e-3)


# --- runs that end early --------------------------------------------------------------------------


def test_a_diverged_run_keeps_what_was_done(
    train: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("--optimizer", "gd", "--learning-rate", "100", "--json", "--reference") == 3
    shown = capsys.readouterr()
    record = json.loads(shown.out)
    assert record == metrics(tmp_path / "out")
    assert record["losses"][-1] is None
    assert None not in record["losses"][:-1]
    assert names(tmp_path / "out") == FILES
    steps = len(record["losses"])
    last = shown.err.splitlines()[-1]
    assert last.startswith(f"funcgrad: error: the run diverged: at step {steps} of 1847 the loss")
    assert "try a learning rate below 100 " in last
    with np.load(tmp_path / "out" / "parameters.npz") as loaded:
        assert all(np.isfinite(loaded[name]).all() for name in loaded)


def test_a_loss_that_is_not_finite_after_the_last_step_is_seen(
    train: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--optimizer", "gd", "--learning-rate", "1e30", "--warm-start-steps", "0")
    assert train(*words, "--steps", "1") == 3
    assert "after step 1 of 1 the loss is no longer finite" in capsys.readouterr().err
    assert len(metrics(tmp_path / "out")["losses"]) == 1


def test_a_run_that_diverges_in_the_warm_start_says_so(
    train: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--optimizer", "gd", "--learning-rate", "1e30", "--warm-start-steps", "9")
    assert train(*words) == 3
    assert "diverged: at step 2 of the warm start the loss is " in capsys.readouterr().err
    assert metrics(tmp_path / "out")["losses"] == []


def test_ctrl_c_keeps_what_was_done(
    train: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def impatient(*arguments: Any, **named: Any) -> Any:
        trained = run.train(*arguments, **named)
        losses = trained.losses[:3]
        return trained._replace(stop="interrupted", signal=signal.SIGINT, losses=losses)

    monkeypatch.setattr(command, "train", impatient)
    assert train("--steps", "5") == 130
    assert names(tmp_path / "out") == FILES[:2]
    assert len(metrics(tmp_path / "out")["losses"]) == 2  # the third is that of the warm start
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "funcgrad: interrupted after 2 of 5 steps; what was done is in " in shown.err


def test_the_reference_clips_the_gradient_too(train: Any, tmp_path: Path) -> None:
    assert train("--steps", "30", "--reference", "--clip-norm", "0.5") == 0
    record = metrics(tmp_path / "out")
    assert record["reference_difference"]["largest"] < 1e-5
    clipped = record["losses"]
    assert train("--steps", "30") == 0
    assert metrics(tmp_path / "out")["losses"][-1] != pytest.approx(clipped[-1], rel=1e-3)


def test_a_signal_after_the_last_step_keeps_the_results(
    train: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write = command._write

    def late(outcome: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        write(outcome)

    monkeypatch.setattr(command, "_write", late)
    assert train("--steps", "5") == 143
    assert names(tmp_path / "out") == FILES[:2]
    assert (
        "funcgrad: terminated after the last step; the results are in " in capsys.readouterr().err
    )


def test_a_run_that_nobody_watches_any_more_goes_on(
    train: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(text)

    monkeypatch.setattr(sys, "stderr", Gone())
    assert train("--steps", "5") == 0
    assert names(tmp_path / "out") == FILES


def test_ctrl_c_during_the_reference_keeps_the_results(
    train: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("funcgrad.train.reference.reference_losses", interrupted)
    assert train("--steps", "5", "--reference") == 130
    assert len(metrics(tmp_path / "out")["losses"]) == 5
    assert capsys.readouterr().err.splitlines()[-1] == "funcgrad: interrupted"


# --- what is missing ------------------------------------------------------------------------------


def test_without_flax_and_matplotlib_the_run_goes_on(
    train: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in ("funcgrad.train.reference", "funcgrad.train.picture"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    for package in ("flax", "matplotlib"):
        monkeypatch.setitem(sys.modules, package, None)
    assert train("--steps", "2", "--reference") == 0
    assert names(tmp_path / "out") == FILES[:2]
    assert metrics(tmp_path / "out")["reference_difference"] is None
    shown = capsys.readouterr()
    assert 'pip install "funcgrad[flax]"' in shown.err
    assert 'pip install "funcgrad[plot]"' in shown.err
    assert "not available" in shown.out


def test_without_scikit_learn_there_are_no_digits(
    train: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert train("--data", "digits") == 2
    shown = capsys.readouterr().err
    assert 'pip install "funcgrad[data]"' in shown
    assert len(shown.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_without_a_device_the_run_ends_with_a_sentence(
    train: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise RuntimeError("Unable to initialize backend 'tpu'")

    monkeypatch.setattr(jax, "devices", fail)
    assert train() == 2
    assert "JAX finds no device (Unable to initialize backend 'tpu')" in capsys.readouterr().err


def test_too_large_a_run_ends_with_a_sentence(
    train: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory\nmore lines")

    monkeypatch.setattr(command, "compile_run", fail)
    assert train() == 2
    message = capsys.readouterr().err
    assert "cannot run this (RESOURCE_EXHAUSTED: Out of memory); try a smaller --width" in message


def test_a_full_disk_ends_with_a_sentence(
    train: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(path: Path, _: Any) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(output, "write_text", fail)
    assert train("--steps", "2") == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("funcgrad: error: No space left on device: ")
    assert last.endswith("metrics.json")


def test_nothing_is_trained_for_a_folder_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "compile_run", None)  # calling it would be a TypeError
    (tmp_path / "file").touch()
    assert main(["train", "--out", str(tmp_path / "file" / "below")]) == 2
    assert "cannot write to the folder" in capsys.readouterr().err
