from pathlib import Path

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcgrad._errors import ConfigurationError, DataError
from funcgrad.models import Dataset, init_widenet, noisy_sine, widenet_loss
from funcgrad.train.options import Config
from funcgrad.train.task import (
    Task,
    batch,
    batch_rows,
    classification_loss,
    make_task,
    plan_task,
)


def config(data: str = "sine", target: str | None = None, **changes: object) -> Config:
    usual = {
        "optimizer": "gd",
        "steps": 3,
        "learning_rate": 0.1,
        "seed": 2021,
        "batch_size": None,
        "width": 4,
        "warm_start_steps": 0,
        "reference": False,
        "out": Path("unused"),
    }
    return Config(data=data, target=target, **(usual | changes))  # type: ignore[arg-type]  # mixed


def task(examples: int, batch_size: int, seed: int = 0) -> Task:
    x = np.arange(examples, dtype=np.float32)[:, None]
    data = Dataset(x, x, "regression", "numbers")  # type: ignore[arg-type]  # as good as JAX's
    return Task(data, {}, widenet_loss, batch_size, seed)


def test_the_sine_is_that_of_the_seed() -> None:
    made = make_task(config(seed=7))
    np.testing.assert_array_equal(made.data.y, noisy_sine(7).y)
    for name, leaf in init_widenet(7, 4).items():
        np.testing.assert_array_equal(made.params[name], leaf)
    assert made.loss is widenet_loss


def test_digits_are_a_classification_with_ten_outputs() -> None:
    made = make_task(config("digits"))
    shapes = jax.tree.map(np.shape, made.params)
    assert shapes == {"w1": (64, 4), "b1": (4,), "w2": (4, 10), "b2": (10,)}
    assert made.loss is classification_loss
    loss = float(made.loss(made.params, made.data.x, made.data.y))
    assert loss == pytest.approx(np.log(10), rel=0.2)


@pytest.mark.parametrize("name", ["diabetes", "digits"])
def test_a_negative_seed_is_read_like_pytorch_reads_it(name: str) -> None:
    negative, positive = (make_task(config(name, seed=seed)) for seed in (-5, 2**64 - 5))
    np.testing.assert_array_equal(negative.data.x, positive.data.x)
    np.testing.assert_array_equal(negative.params["w1"], positive.params["w1"])
    assert negative.seed == positive.seed


def test_a_csv_file_is_a_regression(tmp_path: Path) -> None:
    path = tmp_path / "houses.csv"
    path.write_text("area,rooms,price\n50,2,100\n80,3,170\n")
    made = make_task(config(str(path), "price"))
    assert (made.data.name, made.params["w1"].shape) == ("houses.csv", (2, 4))
    with pytest.raises(DataError, match="no column 'prize'"):
        make_task(config(str(path), "prize"))


def test_a_batch_is_no_larger_than_the_data() -> None:
    assert make_task(config(batch_size=31)).batch_size == 31
    assert make_task(config(batch_size=32)).batch_size is None
    with pytest.raises(ConfigurationError, match="--batch-size 33 is more than the 32 training"):
        make_task(config(batch_size=33))


@given(
    examples=st.integers(1, 9),
    batch_size=st.integers(1, 9),
    start=st.integers(0, 30),
    count=st.integers(0, 30),
    cut=st.integers(0, 30),
)
def test_any_part_of_the_batches_is_a_part_of_the_whole(
    examples: int, batch_size: int, start: int, count: int, cut: int
) -> None:
    made = task(examples, batch_size)
    rows = batch_rows(made, start, count)
    whole = batch_rows(made, 0, start + count)
    assert rows is not None
    assert whole is not None
    assert rows.shape == (count, batch_size)
    assert rows.dtype == np.int32
    np.testing.assert_array_equal(rows, whole[start:])
    np.testing.assert_array_equal(rows[:cut], batch_rows(made, start, min(cut, count)))


@given(examples=st.integers(1, 9), batch_size=st.integers(1, 9))
def test_every_example_is_seen_once_in_every_epoch(examples: int, batch_size: int) -> None:
    rows = batch_rows(task(examples, batch_size), 0, 3 * examples)
    assert rows is not None
    epochs = rows.reshape(3 * batch_size, examples)
    np.testing.assert_array_equal(np.sort(epochs), [range(examples)] * len(epochs))


def test_the_order_changes_with_epoch_and_seed_only() -> None:
    one, again, other = (batch_rows(task(50, 50, seed), 0, 2) for seed in (1, 1, 2))
    assert one is not None
    assert other is not None
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one[0], one[1])
    assert not np.array_equal(one, other)


def test_a_batch_holds_the_rows_of_its_step() -> None:
    made = task(10, 3)
    x, _ = batch(made, 4)
    rows = batch_rows(made, 4, 1)
    assert rows is not None
    np.testing.assert_array_equal(x[:, 0], rows[0])
    whole, _ = batch(made._replace(batch_size=None), 4)
    assert whole is made.data.x
    assert batch_rows(made._replace(batch_size=None), 0, 5) is None


@pytest.mark.parametrize(("batch_size", "width"), [(None, 4), (8, 4), (32, 4), (None, 9)])
def test_a_planned_task_is_the_task_without_its_numbers(batch_size: int | None, width: int) -> None:
    run = config(batch_size=batch_size, width=width)
    real, planned = make_task(run), plan_task(run)
    assert (real.batch_size, real.seed, real.loss) == (
        planned.batch_size,
        planned.seed,
        planned.loss,
    )
    for one, other in zip(
        [*real.params.values(), *real.data[:2]], [*planned.params.values(), *planned.data[:2]],
        strict=True,
    ):  # fmt: skip
        assert isinstance(other, jax.ShapeDtypeStruct)
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
    assert list(real.params) == list(planned.params)


def test_a_planned_task_may_have_other_examples() -> None:
    assert plan_task(config(batch_size=64), 100).data.x.shape == (100, 1)
    assert plan_task(config(batch_size=64), 64).batch_size is None  # that is all of them
    with pytest.raises(ConfigurationError, match="64 is more than the 50 training examples"):
        plan_task(config(batch_size=64), 50)
