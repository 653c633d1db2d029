"""The losses of the course were printed by PyTorch 2.13 on a CPU."""

import signal
from collections.abc import Callable

import jax
import numpy as np
import optax
import pytest

from funcgrad import minimize
from funcgrad._errors import ConfigurationError
from funcgrad.models import init_widenet, noisy_sine, widenet_loss
from funcgrad.models.widenet import WideNetParams
from funcgrad.train.feed import longest_piece
from funcgrad.train.optimizers import RULES
from funcgrad.train.program import compile_run, make_optimizer
from funcgrad.train.run import Trained, train
from funcgrad.train.task import Task, batch, classification_loss

PLACES = (1, 100, 1000, 1847)
PYTORCH = {  # (seed, optimiser, warm start): losses before any step, and at these places
    (2021, "momentum", 1): [0.8889423, 0.56275386, 0.29347408, 0.069975257, 0.06729532],
    (2021, "momentum", 0): [0.8889423, 0.8889423, 0.29404953, 0.069994815, 0.067295372],
    (2021, "gd", 0): [0.8889423, 0.8889423, 0.34422415, 0.28862143, 0.24373204],
    (0, "momentum", 1): [0.76525342, 0.57005215, 0.20555297, 0.061223127, 0.056010626],
    (0, "gd", 0): [0.76525342, 0.76525342, 0.23603801, 0.20256776, 0.17561093],
    (7, "momentum", 1): [0.57480866, 0.48045394, 0.25288475, 0.053346273, 0.048845783],
    (7, "momentum", 0): [0.57480866, 0.57480866, 0.25334594, 0.05337543, 0.04884601],
    (123456, "momentum", 1): [0.85909057, 0.65188342, 0.23136243, 0.061764553, 0.056220178],
    (123456, "gd", 0): [0.85909057, 0.85909057, 0.27038944, 0.22791722, 0.19639753],
}


def sine(width: int = 8, batch_size: int | None = None, seed: int = 2021) -> Task:
    return Task(noisy_sine(seed), init_widenet(seed, width), widenet_loss, batch_size, seed)


def ignore(done: int, loss: float) -> None:
    del done, loss


def run(
    task: Task,
    optimizer: optax.GradientTransformation,
    steps: int,
    advance: Callable[[int, float], None] = ignore,
) -> Trained:
    return train(compile_run(task, optimizer, steps), steps, advance)


def assert_equal(one: WideNetParams, other: WideNetParams) -> None:
    assert set(one) == set(other)
    for name, leaf in one.items():
        np.testing.assert_array_equal(leaf, other[name])


@pytest.mark.parametrize(("seed", "optimizer", "warm"), PYTORCH)
def test_the_losses_are_those_of_pytorch(seed: int, optimizer: str, warm: int) -> None:
    trained = run(sine(512, seed=seed), make_optimizer(optimizer, 0.003), 1847 + warm)
    recorded = trained.losses[warm:]
    ours = [trained.losses[0], *(recorded[place - 1] for place in PLACES)]
    np.testing.assert_allclose(ours, PYTORCH[seed, optimizer, warm], rtol=1e-5)
    assert len(recorded) == 1847
    assert trained.losses.dtype == np.float32
    assert trained.stop == "complete"


def test_the_run_in_pieces_is_the_run_in_one() -> None:
    task, optimizer = sine(), make_optimizer("adam", 0.01)
    trained = run(task, optimizer, 123)
    whole = minimize(widenet_loss, task.params, optimizer, task.data.x, task.data.y, steps=123)
    np.testing.assert_array_equal(trained.losses, whole.losses)
    assert_equal(trained.params, whole.params)
    assert trained.compile_seconds > 0
    assert trained.train_seconds > 0


def test_mini_batches_are_those_of_the_task() -> None:
    task, optimizer = sine(batch_size=5), make_optimizer("momentum", 0.01)
    trained = run(task, optimizer, 25)
    batches = [batch(task, step) for step in range(25)]
    whole = minimize(widenet_loss, task.params, optimizer, batches=batches)
    np.testing.assert_allclose(trained.losses, whole.losses, rtol=1e-5)
    assert len(set(trained.losses.tolist())) == 25
    repeated = run(task, optimizer, 25)
    np.testing.assert_array_equal(trained.losses, repeated.losses)


def test_the_point_before_the_last_step_is_kept() -> None:
    task, optimizer = sine(), make_optimizer("gd", 0.01)
    longer, shorter = run(task, optimizer, 31), run(task, optimizer, 30)
    assert_equal(longer.before, shorter.params)
    assert longer.last_step == 30


def test_progress_is_told_until_the_end() -> None:
    told: list[int] = []
    trained = run(sine(), make_optimizer("gd", 0.01), 40, lambda done, _: told.append(done))
    assert told == sorted(set(told))
    assert told[-1] == len(trained.losses) == 40
    assert len(told) == 10


def test_no_step_changes_nothing() -> None:
    task = sine()
    trained = run(task, make_optimizer("gd", 0.01), 0)
    assert (len(trained.losses), trained.stop, trained.last_step) == (0, "complete", 0)
    assert_equal(trained.params, task.params)
    assert_equal(trained.before, task.params)


def test_a_diverging_run_stops_at_once_and_keeps_the_last_good_point() -> None:
    task, optimizer = sine(), make_optimizer("gd", 100.0)
    trained = run(task, optimizer, 1000)
    assert trained.stop == "diverged"
    assert 2 < len(trained.losses) < 50
    assert np.isfinite(trained.losses[:-1]).all()
    assert not np.isfinite(trained.losses[-1])
    known = len(trained.losses) - 1
    assert trained.last_step == known - 1
    assert_equal(trained.before, run(task, optimizer, known - 1).params)


def test_a_signal_ends_the_run_and_keeps_what_was_done() -> None:
    done: list[int] = []
    task, optimizer = sine(), make_optimizer("momentum", 0.01)
    trained = train(
        compile_run(task, optimizer, 10_000), 10_000, lambda count, _: done.append(count),
        pressed=lambda: signal.SIGTERM if done and done[-1] >= 24 else None,
    )  # fmt: skip
    assert (trained.stop, trained.signal) == ("interrupted", signal.SIGTERM)
    assert 24 <= len(trained.losses) < 1000
    shorter = run(task, optimizer, len(trained.losses))
    np.testing.assert_array_equal(trained.losses, shorter.losses)
    assert_equal(trained.params, shorter.params)


@pytest.mark.parametrize("name", RULES)
def test_every_optimizer_reduces_the_loss(name: str) -> None:
    rate = RULES[name].rate or 0.01
    trained = run(sine(batch_size=31), make_optimizer(name, rate), 60)
    assert trained.stop == "complete"
    assert trained.losses[-5:].mean() < 0.9 * trained.losses[:2].mean()
    assert {leaf.dtype for leaf in trained.params.values()} == {np.dtype(np.float32)}


def test_a_classification_is_learned() -> None:
    x = jax.numpy.asarray([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    task = sine()._replace(loss=classification_loss, params=init_widenet(0, 16, 2, 3))
    task = task._replace(data=task.data._replace(x=x, y=jax.numpy.arange(3)))
    trained = run(task, make_optimizer("adam", 0.05), 100)
    assert trained.losses[0] > 0.9
    assert trained.losses[-1] < 0.05


def test_an_unknown_optimizer_is_named() -> None:
    with pytest.raises(ConfigurationError, match="no optimizer 'sdg'"):
        make_optimizer("sdg", 0.1)


def test_a_piece_is_bounded_by_time_and_memory() -> None:
    assert longest_piece(0, None) == longest_piece(10, None) == 1
    assert longest_piece(11, None) == 2
    assert longest_piece(10**9, None) == 1000
    assert longest_piece(10**9, 2**23) == 1
