"""Functions of a user's own in random programs: what they take is found, and what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from funcgrad._errors import ConfigurationError
from funcgrad.search._draw import draw_program
from funcgrad.search._included import included
from funcgrad.search.fuzz import fuzz
from tests.search.users import NAMES

HERE = "tests.search.test_included"


def divided(x: Any, y: Any) -> tuple[Any, Any]:
    """Of a matrix and a row, where the row is positive."""
    if x.ndim != 2 or y.shape != x.shape[1:]:
        raise ValueError("a matrix and a row")
    return jnp.log(y), x / y


def tree(x: Any, scale: float = 2.0) -> dict[str, Any]:
    return {"index": jnp.argmax(x), "value": scale * x}


def wide(x: Any) -> Any:
    return jnp.arctanh(x)


def never(x: Any) -> Any:
    return jnp.log(-jnp.abs(x))


def integers(x: Any) -> Any:
    return jnp.argmax(x)


def five(a: Any, b: Any, c: Any, d: Any, e: Any) -> Any:
    return a + b + c + d + e


def picky(x: Any) -> Any:
    raise ValueError(f"not {x.shape}")


f = tree  # by a name that programs use themselves


def test_shapes_results_and_the_interval_are_found() -> None:
    found = included(f"{HERE}:divided")
    assert (found.template, found.results, len(found.slots)) == ("divided({0}, {1})", 2, 2)
    assert found.slots[0].fits((2, 3))
    assert not found.slots[0].fits((3,))
    assert found.slots[1].fits((3,), (2, 3))
    assert not found.slots[1].fits((2,), (2, 3))
    assert found.slots[0].domain.interval == (0.1, 2.0)
    assert included(f"{HERE}:wide").slots[0].domain.interval == (-0.9, 0.9)


def test_a_tree_with_integers_gives_its_real_arrays() -> None:
    found = included(f"{HERE}:f")
    assert found.template.endswith("[0]")
    assert "f_({0})" in found.template
    assert found.definitions == f"from {HERE} import f as f_\n"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("never", "its values are not finite, or all zero, at random points"),
        ("integers", "takes none of the shapes .* it returns no real array"),
        ("five", "it has 5 arguments without a default; a function of 1 to 4 arrays"),
        ("picky", r"takes none of the shapes .* ValueError: not \("),
        ("missing", "has no 'missing'"),
    ],
)
def test_what_cannot_be_included_is_said(name: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        included(f"{HERE}:{name}")


def test_a_file_is_imported_from_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "kernel_of_mine.py"
    path.write_text("import jax.numpy as jnp\n\n\ndef halved(x):\n    return 0.5 * jnp.sin(x)\n")
    program = draw_program(np.random.default_rng(0), operations=(1, 3), include=[f"{path}:halved"])
    assert f"sys.path.insert(0, {str(tmp_path)!r})" in program.source()
    assert "halved" in program.operations
    assert np.isfinite(program.function()(*program.arguments()))


@pytest.mark.parametrize("seed", range(8))
def test_each_program_has_one(seed: int) -> None:
    program = draw_program(
        np.random.default_rng(seed), operations=(1, 8), include=[f"{HERE}:divided", f"{HERE}:f"]
    )
    assert {"divided", "f_"} & set(program.operations)


def test_there_are_ten_rules_of_users() -> None:
    assert len(NAMES) == len(set(NAMES)) == 10


@pytest.mark.parametrize("name", ["softmax", "bias"])  # all of them: python -m tests.search.hunt
def test_a_wrong_rule_is_found_and_its_twin_is_not(name: str) -> None:
    options: dict[str, Any] = {"operations": (1, 3), "dtypes": ["float32"], "programs": 3}
    found = fuzz(include=[f"tests.search.users:{name}_wrong"], **options).findings
    assert {finding.title for finding in found} == {"JAX's and funcgrad's gradient is wrong"}
    assert min(len(finding.operations) for finding in found) <= 4
    assert fuzz(include=[f"tests.search.users:{name}"], **options).ok
