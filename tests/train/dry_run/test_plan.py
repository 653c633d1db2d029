"""What one device's program costs; several are in `tests/parallel/on_eight_devices_dry_run.py`."""

import jax
import pytest

from funcgrad._errors import ConfigurationError
from funcgrad.cli import build_parser
from funcgrad.train.dry_run.plan import per_device, plan
from funcgrad.train.options import Config, configure
from funcgrad.train.program import compile_run, make_optimizer
from funcgrad.train.task import make_task, plan_task


def config(*words: str) -> Config:
    return configure(build_parser().parse_args(["train", *words]))


@pytest.mark.parametrize("words", [(), ("--batch-size", "8"), ("--optimizer", "adam")], ids=str)
def test_what_is_planned_is_what_a_run_compiles(words: tuple[str, ...]) -> None:
    run = config("--width", "48", *words)
    real, planned = make_task(run), plan_task(run)
    assert [leaf.shape for leaf in jax.tree.leaves(real.params)] == [
        leaf.shape for leaf in jax.tree.leaves(planned.params)
    ]
    optimizer = make_optimizer(run.optimizer, run.learning_rate)
    texts = [compile_run(task, optimizer, 20).program.as_text() for task in (real, planned)]  # type: ignore[attr-defined]  # a compiled function
    assert texts[0] == texts[1]


def test_the_parts_of_the_memory() -> None:
    run = config("--width", "512", "--steps", "99")  # and one of the warm start
    made = plan(run, plan_task(run), None)
    parameters, losses, rest = 4 * 1537, 4 * 10, 3 * 4 + 1  # three counts, and a flag
    memory = made.memory
    assert (memory.parameters, memory.kept) == (parameters, parameters)
    assert memory.state == parameters + 1  # whether the gradient was finite
    assert memory.examples == 2 * 32 * 4
    assert memory.arguments == sum(memory[:4]) + losses + rest
    assert memory.total == memory.arguments + memory.results + memory.temporary


def test_an_optimizer_with_two_moments_keeps_two() -> None:
    run = config("--optimizer", "adam")
    assert plan(run, plan_task(run), None).memory.state == 2 * 4 * 1537 + 4 + 1


@pytest.mark.parametrize("examples", [32, 320])
def test_operations_of_the_products(examples: int) -> None:
    """For every example and unit 10 in the products of matrices, and about as many beside them."""
    run = config("--width", "4096")
    made = plan(run, plan_task(run, examples), None)
    assert 10 * examples * 4096 < made.operations < 50 * examples * 4096


def test_work_grows_with_the_examples() -> None:
    run = config("--width", "1024")
    few, many = (plan(run, plan_task(run, examples), None) for examples in (100, 1000))
    assert few.examples == 100
    for one, other in ((few.operations, many.operations), (few.traffic, many.traffic)):
        assert 5 < other / one < 12


def test_no_array_of_the_width_is_made() -> None:
    before = {id(array) for array in jax.live_arrays()}
    run = config("--width", str(2**20))
    assert plan(run, plan_task(run, 64), None).memory.parameters == 4 * (3 * 2**20 + 1)
    made = [array for array in jax.live_arrays() if id(array) not in before]
    assert sum(array.nbytes for array in made) < 1e5
    assert per_device(make_task(config("--width", "4096")).params) == 4 * (3 * 4096 + 1)


def test_data_with_several_inputs_and_outputs() -> None:
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
    run = config("--data", "digits", "--width", "32")
    made = plan(run, plan_task(run), None)
    assert made.memory.parameters == 4 * (64 * 32 + 32 + 32 * 10 + 10)


def test_a_mesh_that_does_not_fit_is_refused() -> None:
    run = config()
    with pytest.raises(ConfigurationError, match=r"has 4096 places, but there (is|are)"):
        plan(run, plan_task(run, 4096), "data=4096")
