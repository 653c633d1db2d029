"""What a step does where its loss or its gradient is not finite."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from funcgrad.models import init_widenet, noisy_sine, widenet_loss
from funcgrad.train.program import MOST_SKIPPED, compile_run, make_optimizer
from funcgrad.train.run import Position, Record, Trained, train
from funcgrad.train.task import Task, batch_rows

POISONED = 24  # the example that is not a number


def task(loss: Any = widenet_loss, batch_size: int | None = 4, poison: float = np.nan) -> Task:
    data = noisy_sine()
    data = data._replace(y=data.y.at[POISONED].set(poison))
    return Task(data, init_widenet(2021, 8), loss, batch_size, 2021)


def run(task: Task, steps: int, skip: bool, **named: Any) -> Trained:
    compiled = compile_run(task, make_optimizer("adam", 0.01), steps, skip=skip)
    return train(compiled, steps, lambda *_: None, **named)


def poisoned_steps(task: Task, steps: int) -> list[int]:
    rows = batch_rows(task, 0, steps)
    assert rows is not None
    return [step for step in range(steps) if POISONED in rows[step]]


def test_a_run_stops_at_the_first_poisoned_batch() -> None:
    trained = run(task(), 60, skip=False)
    first = poisoned_steps(task(), 60)[0]
    assert (trained.stop, len(trained.losses)) == ("diverged", first + 1)
    assert np.isnan(trained.losses[-1])
    assert trained.last_step == first - 1
    for leaf in jax.tree.leaves(trained.params):
        assert bool(jnp.all(jnp.isfinite(leaf)))  # the step itself was not taken


def test_skipped_steps_are_as_if_they_had_not_been() -> None:
    """The parameters are those of a run over the other batches alone."""
    poisoned = poisoned_steps(task(), 60)
    trained = run(task(), 60, skip=True)
    assert (trained.stop, len(trained.losses), trained.skipped) == ("complete", 60, len(poisoned))
    assert list(np.flatnonzero(np.isnan(trained.losses))) == poisoned
    assert trained.last_step == max(set(range(60)) - set(poisoned))
    rows = batch_rows(task(), 0, 60)
    assert rows is not None
    params, optimizer = task().params, make_optimizer("adam", 0.01)
    state = optimizer.init(params)
    data = task().data
    for step in sorted(set(range(60)) - set(poisoned)):
        x, y = data.x[rows[step]], data.y[rows[step]]
        gradient = jax.grad(widenet_loss)(params, x, y)
        updates, state = optimizer.update(gradient, state, params)
        params = jax.tree.map(jnp.add, params, updates)
    for name, leaf in trained.params.items():
        np.testing.assert_allclose(leaf, params[name], rtol=1e-4, atol=1e-6)


def test_steps_are_not_skipped_for_ever() -> None:
    trained = run(task(batch_size=None), 1000, skip=True)
    assert (trained.stop, trained.skipped) == ("diverged", MOST_SKIPPED)


def kinked(params: Any, x: Any, y: Any) -> Any:
    """Finite everywhere, with a gradient that is not, once the first bias is zero."""
    del x, y
    return jnp.sum(jnp.sqrt(jnp.abs(params["b1"]))) + 0 * jnp.sum(params["w1"])


def test_a_gradient_that_is_not_finite_stops_a_run_whose_loss_is() -> None:
    with_kink = task(kinked)
    with_kink = with_kink._replace(params={**with_kink.params, "b1": jnp.zeros(8)})
    trained = run(with_kink, 10, skip=False)
    assert (trained.stop, trained.losses.tolist()) == ("diverged", [0.0])


def test_a_gradient_is_clipped_to_its_norm() -> None:
    data = noisy_sine()
    plain = task(poison=0.0)._replace(data=data, batch_size=None)
    optimizer = make_optimizer("gd", 1.0, clip_norm=1e-3)
    trained = train(compile_run(plain, optimizer, 1), 1, lambda *_: None)
    moved = jax.tree.map(jnp.subtract, trained.params, plain.params)
    norm = np.sqrt(sum(float(jnp.sum(leaf**2)) for leaf in jax.tree.leaves(moved)))
    assert norm == pytest.approx(1e-3, rel=1e-3)


class Memory:
    """A keeper that keeps everything in memory."""

    every = 5

    def __init__(self) -> None:
        self.kept: list[Record] = []
        self.asked = 0

    def save(self, record: Record) -> None:
        self.kept.append(record)

    def wait(self) -> None:
        """Nothing is under way."""

    def restore(self, position: Position) -> tuple[int, Position] | None:
        self.asked += 1
        if not self.kept:
            return None
        back = self.kept[-1].position
        return back.done, back._replace(done=position.done)


def test_checkpoints_are_written_at_their_steps_and_at_the_end() -> None:
    keeper = Memory()
    trained = run(task(poison=0.0), 23, skip=False, keeper=keeper)
    assert [record.position.done for record in keeper.kept] == [5, 10, 15, 20, 23]
    assert [len(record.losses) for record in keeper.kept] == [5, 10, 15, 20, 23]
    np.testing.assert_array_equal(keeper.kept[-1].losses, trained.losses)


@pytest.mark.parametrize("place", range(4))
def test_a_run_from_a_checkpoint_is_the_run_itself(place: int) -> None:
    keeper = Memory()
    whole = run(task(poison=0.0), 23, skip=False, keeper=keeper)
    resumed = run(task(poison=0.0), 23, skip=False, start=keeper.kept[place])
    np.testing.assert_array_equal(resumed.losses, whole.losses)
    for name, leaf in whole.params.items():
        np.testing.assert_array_equal(leaf, resumed.params[name])
    assert resumed.last_step == whole.last_step == 22


def test_a_restored_run_leaves_the_poisoned_batch_behind() -> None:
    keeper = Memory()
    poisoned = poisoned_steps(task(), 60)
    assert poisoned[0] >= Memory.every
    trained = run(task(), 60, skip=False, keeper=keeper, restore=True)
    assert (trained.stop, len(trained.losses)) == ("complete", 60)
    assert keeper.asked == len(trained.restored) == len(poisoned)
    assert trained.restored[0] == poisoned[0] // Memory.every * Memory.every


def test_without_a_checkpoint_there_is_nothing_to_restore() -> None:
    keeper = Memory()
    trained = run(task(batch_size=None), 60, skip=False, keeper=keeper, restore=True)
    assert (trained.stop, trained.restored, keeper.asked) == ("diverged", (), 1)
