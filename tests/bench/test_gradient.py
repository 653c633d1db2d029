"""The benchmark runs, compares what it says it compares, and prints within 80 columns."""

import json

import pytest

from funcgrad.bench.__main__ import main
from funcgrad.bench.gradient import skeleton


def test_json_has_every_figure_of_every_workload(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--turns", "5", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    figures = {(row["workload"], row["figure"]) for row in printed["rows"]}
    assert figures == {
        (workload, figure)
        for workload in ("WideNet 512", "SimpleGraph")
        for figure in ("compiled", "strong zeros", "eager", "trace")
    }
    assert all(row["ours"] > 0 and row["ratio"]["median"] > 0 for row in printed["rows"])


def test_too_few_turns_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--turns", "1"])
    assert "--turns must be at least 5, but is 1" in capsys.readouterr().err


def test_skeletons_ignore_names_and_order_but_not_operations() -> None:
    first = "  %add.1 = f32[3]{0} add(%a, %b)\n  ROOT %m = f32[3]{0} multiply(%a, %add.1)"
    renamed = "  ROOT %z = f32[3]{0} multiply(%p, %q)\n  %y = f32[3]{0} add(%p, %r)"
    assert skeleton(first) == skeleton(renamed)
    assert skeleton(first) != skeleton(first.replace("add(", "subtract("))
