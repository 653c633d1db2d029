import io
from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from funcgrad.models import init_widenet, noisy_sine, widenet_loss
from funcgrad.train.compare import GradientDifference, LossDifference
from funcgrad.train.options import Config
from funcgrad.train.report import Outcome, metrics, show, table
from funcgrad.train.run import Trained
from funcgrad.train.task import Task


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def outcome(steps: int = 1847, warm: int = 1, name: str = "noisy sine") -> Outcome:
    losses = np.linspace(1, 0.5, steps + warm, dtype=np.float32)
    params = init_widenet()
    config = Config(
        "sine", None, "momentum", steps, 0.003, 2021, None, 512, warm, True, Path("here")
    )
    return Outcome(
        config=config,
        task=Task(noisy_sine()._replace(name=name), params, widenet_loss, None, 2021),
        trained=Trained(params, params, losses, "complete", 0.25, 0.0123456789),
        initial_loss=1.0,
        first=GradientDifference(2.0**-27, 0.125),
        last=GradientDifference(2.0**-26, 3.0),
        reference=None,
        accuracy=None,
        test_loss=None,
        device="cpu",
    )


def test_the_record_has_exactly_these_keys() -> None:
    record = metrics(outcome())
    assert list(record) == [
        "initial_loss",
        "losses",
        "gradient_difference",
        "reference_difference",
        "compile_seconds",
        "train_seconds",
        "device",
        "parameters",
        "steps",
        "skipped_steps",
        "restored_checkpoints",
        "configuration",
        "versions",
    ]
    assert set(record["versions"]) == {"funcgrad", "jax"}
    assert (record["parameters"], record["steps"], record["initial_loss"]) == (1537, 1847, 1.0)
    assert record["configuration"]["out"] == "here"
    assert record["configuration"]["warm_start_steps"] == 1
    assert record["gradient_difference"] == {
        "first": 2.0**-27,
        "last": 2.0**-26,
        "first_ulp": 0.125,
        "last_ulp": 3.0,
    }


def test_the_warm_start_is_not_recorded_and_losses_are_float32() -> None:
    made = outcome(steps=5, warm=2)
    losses = metrics(made)["losses"]
    np.testing.assert_array_equal(np.float32(losses), made.trained.losses[2:])
    assert str(losses[0]) == str(made.trained.losses[2])  # 0.9166667, not 0.9166666865348816


def test_the_reference_is_recorded_for_each_step() -> None:
    difference = LossDifference(0.5, 2, np.array([0.0, 0.5]))
    record = metrics(outcome()._replace(reference=difference))
    assert record["reference_difference"] == {"largest": 0.5, "step": 2, "per_step": [0.0, 0.5]}
    assert metrics(outcome())["reference_difference"] is None


def test_a_classification_has_an_accuracy() -> None:
    made = outcome()
    data = made.task.data._replace(kind="classification")
    made = made._replace(task=made.task._replace(data=data), accuracy=0.9375)
    assert metrics(made)["accuracy"] == 0.9375
    assert dict(table(made))["test accuracy"] == "0.9375000"


def test_the_table_has_these_rows() -> None:
    rows = table(outcome())
    assert rows[:4] == [
        ("data", "noisy sine, 32 examples"),
        ("optimizer", "momentum, learning rate 0.003"),
        ("device", "cpu"),
        ("parameters", "1537"),
    ]
    labels = [label for label, _ in rows]
    assert labels[4:9] == [
        "initial loss", "1st loss", "100th loss", "1000th loss", "1847th and last loss",
    ]  # fmt: skip
    assert dict(rows)["1847th and last loss"] == "0.5000000"
    assert dict(rows)["gradient - jax.grad, first step"] == "7.450581e-09 (0.125 ulp)"
    assert dict(rows)["seconds for training"] == "0.012"


@pytest.mark.parametrize(
    ("steps", "shown"),
    [
        (0, []),
        (1, ["1st and last loss"]),
        (100, ["1st loss", "100th and last loss"]),
        (101, ["1st loss", "100th loss", "101st and last loss"]),
    ],
)
def test_a_short_run_has_fewer_rows(steps: int, shown: list[str]) -> None:
    rows = table(outcome(steps=steps))
    assert [label for label, _ in rows if label.endswith("loss") and label[0].isdigit()] == shown


def test_the_row_of_the_reference_says_why_it_is_empty() -> None:
    row = "loss against Flax and Optax"
    made = outcome()
    assert dict(table(made))[row] == "not available"
    difference = LossDifference(0.5, 2, np.array([0.0, 0.5]))
    assert dict(table(made._replace(reference=difference)))[row] == "0.5000000 relative (step 2)"
    made = made._replace(config=replace(made.config, reference=False))
    assert dict(table(made))[row] == "not asked for (--reference)"


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_the_table_fits_80_columns(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    largest = LossDifference(1.234567e-38, 1234567, np.zeros(1))
    made = outcome(name="a_file_with_a_very_long_name_[red].csv")._replace(
        reference=largest, last=GradientDifference(1.234567e-38, 1.23e8), device="gpu (NVIDIA H200)"
    )
    rows = table(made)
    show(rows, stream)
    shown = [line for line in stream.getvalue().splitlines() if "\x1b" not in line or line.strip()]
    text = [line.replace("\x1b[1m", "").replace("\x1b[0m", "") for line in shown]
    assert max(map(len, text)) <= 80
    assert len([line for line in text if line.strip()]) == len(rows)  # nothing was wrapped


def test_a_pipe_gets_no_colours_even_if_they_are_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    stream = io.StringIO()
    show(table(outcome()), stream)
    assert "\x1b" not in stream.getvalue()
    assert "initial loss                     1.000000\n" in stream.getvalue()


def test_a_name_that_the_stream_cannot_encode_is_escaped() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    show(table(outcome(name="größe.csv")), stream)
    stream.seek(0)
    assert r"gr\xf6\xdfe.csv" in stream.read()


def test_a_diverged_run_can_be_told() -> None:
    made = outcome(steps=3)
    losses = jnp.float32([1.0, 2.0, 3.0, jnp.inf])
    made = made._replace(trained=made.trained._replace(losses=np.asarray(losses), stop="diverged"))
    assert dict(table(made))["3rd and last loss"] == "inf"
    assert metrics(made)["losses"] == [2.0, 3.0, float("inf")]
