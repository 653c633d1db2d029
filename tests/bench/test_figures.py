"""A figure compares what it says it compares."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import pytest

from funcgrad.bench._figures import Figure, _turns, figures, skeleton
from funcgrad.bench._growth import exponent
from funcgrad.bench._measure import Ratio
from funcgrad.bench._report import _cells
from funcgrad.bench._targets import summaries
from funcgrad.bench._usage import Work
from funcgrad.bench._workload import of_loss


def test_skeletons_ignore_names_and_order_but_not_operations() -> None:
    first = "  %add.1 = f32[3]{0} add(%a, %b)\n  ROOT %m = f32[3]{0} multiply(%a, %add.1)"
    renamed = "  ROOT %z = f32[3]{0} multiply(%p, %q)\n  %y = f32[3]{0} add(%p, %r)"
    assert skeleton(first) == skeleton(renamed)
    assert skeleton(first) != skeleton(first.replace("add(", "subtract("))


def test_figures_of_a_loss() -> None:
    workload = of_loss("product", lambda x, y: jnp.sum(x * y), jnp.ones(4), 2 * jnp.ones(4))
    found = {figure.name: figure for figure in figures(workload, 0.01)}
    assert found["run"].note == "same optimised program"
    assert found["operations"].ours == 12  # the function itself, and one product
    assert found["operations"].theirs == 8
    assert found["error"].ratio.median == 1
    assert found["run"].work == Work(operations=12, traffic=found["traffic"].ours, loops=False)
    assert found["run"].turns >= 3
    assert found["memory"].turns == 0
    assert found["run"].control is None is found["trace"].control


def test_the_competitor_runs_against_itself_where_there_is_time() -> None:
    workload = of_loss("product", lambda x, y: jnp.sum(x * y), jnp.ones(4), 2 * jnp.ones(4))
    found = {figure.name: figure for figure in figures(workload, 1.0)}
    for name in ("trace", "compile", "run", "eager"):
        control = found[name].control
        assert control is not None
        assert control.low > 0


def test_what_takes_long_is_compiled_less_often() -> None:
    assert _turns(spent=0.0, done=0, seconds=0.2) > 0
    assert _turns(spent=30.0, done=1, seconds=2.0) == 1
    assert _turns(spent=30.0, done=1, seconds=0.2) == 1
    assert _turns(spent=7.0, done=2, seconds=2.0) == 5
    assert _turns(spent=0.7, done=2, seconds=0.2) == 2
    assert _turns(spent=0.3, done=1, seconds=0.2) == 3
    assert _turns(spent=0.3, done=3, seconds=0.2) == 3
    assert _turns(spent=0.3, done=3, seconds=2.0) == 41


def test_the_cells_say_what_one_turn_is() -> None:
    once = figure("trace", "a", 1.0, 1.0)._replace(ratio=Ratio(1.0, 1.0, 1.0), turns=1)
    assert _cells(once)[4] == "1.00 (1 turn)"
    assert _cells(once._replace(turns=0))[4] == "1.00"
    assert _cells(figure("trace", "a", 0.9, 1.0)._replace(turns=5))[4] == "1.00 (0.90-2.00)"


def figure(name: str, workload: str, low: float, median: float, note: str = "") -> Figure:
    return Figure(workload, name, "s", median, 1.0, "jax.grad", Ratio(median, low, 2.0), None, note)


def test_a_target_is_met_by_the_interval_or_by_the_same_program() -> None:
    def met(*of: Figure) -> bool:
        return summaries(of)[0].met

    assert met(figure("run", "a", 0.99, 1.03))
    assert not met(figure("run", "a", 1.01, 1.03))
    assert met(figure("run", "a", 1.01, 1.03, "same optimised program"))
    assert not met(figure("run", "a", 0.5, 0.5), figure("run", "b", 1.2, 1.3))


def test_the_mean_is_geometric_and_the_worst_is_named() -> None:
    found = summaries([figure("eager", "a", 0.1, 0.1), figure("eager", "b", 0.4, 0.4)])[0]
    assert found.mean == pytest.approx(0.2)
    assert (found.worst, found.of, found.met) == (0.4, "b", True)


def test_an_exponent_of_squares_is_two() -> None:
    sizes: Any = [10, 100, 1000]
    assert exponent(sizes, [size**2 / 7 for size in sizes]) == pytest.approx(2)
