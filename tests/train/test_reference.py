import sys
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from funcgrad._errors import ConfigurationError
from funcgrad.models import Dataset, init_widenet, noisy_sine, widenet_loss
from funcgrad.train import reference
from funcgrad.train.optimizers import RULES
from funcgrad.train.program import compile_run, make_optimizer
from funcgrad.train.reference import reference_losses
from funcgrad.train.run import train
from funcgrad.train.task import Task, classification_loss


def sine(width: int, batch_size: int | None = None) -> Task:
    return Task(noisy_sine(), init_widenet(2021, width), widenet_loss, batch_size, 2021)


def ignore(done: int, loss: float) -> None:
    del done, loss


def ours(task: Task, name: str, rate: float, steps: int) -> np.ndarray:
    compiled = compile_run(task, make_optimizer(name, rate), steps)
    return train(compiled, steps, ignore).losses


def test_the_run_of_the_course_agrees_step_for_step() -> None:
    task, told = sine(512), []
    theirs = reference_losses(task, "momentum", 0.003, 1848, lambda *now: told.append(now))
    # Rounding errors grow to about the sixth digit in float32 over so many steps.
    np.testing.assert_allclose(ours(task, "momentum", 0.003, 1848), theirs, rtol=1e-5)
    np.testing.assert_allclose(theirs[[1, 100, 1847]], [0.5627539, 0.2934741, 0.0672953], rtol=1e-5)
    assert told[-1] == (1848, float(theirs[-1]))


@pytest.mark.parametrize("name", ["gd", "nesterov", "adamw", "adafactor", "lion"])
def test_mini_batches_agree(name: str) -> None:
    task = sine(8, batch_size=5)
    theirs = reference_losses(task, name, 0.01, 23, ignore)
    np.testing.assert_allclose(ours(task, name, 0.01, 23), theirs, rtol=1e-4)
    assert theirs.shape == (23,)


@pytest.mark.parametrize("name", RULES)
def test_every_optimizer_goes_into_flax(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def only_trace(*arguments: Any) -> Any:
        state, losses = take_steps.eval_shape(*arguments)
        return state, np.zeros(losses.shape, losses.dtype)

    take_steps = reference._take_steps
    monkeypatch.setattr(reference, "_take_steps", only_trace)
    assert reference_losses(sine(8), name, 0.01, 1, ignore).dtype == np.float32


def test_a_classification_agrees() -> None:
    x = jnp.asarray(np.random.default_rng(0).normal(size=(12, 4)), jnp.float32)
    y = jnp.arange(12) % 3
    data = Dataset(x, y, "classification", "classes", classes=3)
    task = Task(data, init_widenet(1, 8, 4, 3), classification_loss, 7, 1)
    theirs = reference_losses(task, "adam", 0.01, 15, ignore)
    np.testing.assert_allclose(ours(task, "adam", 0.01, 15), theirs, rtol=1e-5)


def test_another_seed_of_the_batches_does_not_agree() -> None:
    task = sine(8, batch_size=5)
    theirs = reference_losses(task._replace(seed=1), "gd", 0.01, 5, ignore)
    assert not np.allclose(ours(task, "gd", 0.01, 5), theirs, rtol=1e-3)


def test_no_step_has_no_loss() -> None:
    assert reference_losses(sine(8), "gd", 0.01, 0, ignore).shape == (0,)


def test_without_flax_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "funcgrad.train.reference")
    monkeypatch.setitem(sys.modules, "flax", None)
    with pytest.raises(ConfigurationError, match=r'pip install "funcgrad\[flax\]"'):
        import funcgrad.train.reference  # noqa: F401  the import is the test
