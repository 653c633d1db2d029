"""Random programs: sound, alone, repeatable, of every operation and family."""

from __future__ import annotations

import collections
import os
import subprocess
import sys
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import settings

from funcgrad import FuncgradError
from funcgrad.search._admission import examine
from funcgrad.search._choices import RandomChoices
from funcgrad.search._draw import draw_program
from funcgrad.search._operations import FAMILIES
from funcgrad.search._program import Program, leaf_names
from tests.search.small import draw_one


def programs(count: int, **options: Any) -> list[Program]:
    return [draw_program(np.random.default_rng([3, i]), **options) for i in range(count)]


@pytest.fixture(scope="module")
def several() -> list[Program]:
    assert settings.default is not None
    return programs(300 if settings.default.max_examples >= 100 else 8, operations=(4, 10))


def test_programs_are_sound_and_finite(several: list[Program]) -> None:
    for program in several:
        assert examine(program) is not None, program
        with jax.disable_jit():
            value = program.function()(*program.arguments())
        assert value.shape == ()
        assert np.isfinite(value)


def test_their_length_is_what_was_asked_for(several: list[Program]) -> None:
    # What no result depends on is not counted twice: the least number is kept.
    assert all(4 <= len(program) <= 10 for program in several)
    assert np.mean([len(program) for program in several]) > 6
    assert np.mean([len(program.families) for program in several]) > 3.5
    found = set().union(*(program.families for program in several))
    assert len(found) > (0.6 if len(several) > 20 else 0.4) * len(FAMILIES)


def test_no_operation_is_in_vain(several: list[Program]) -> None:
    for program in several:
        read = set().union(*(step.reads() for step in program.steps))
        ends = {name.removesuffix(".real") for name in program.results}
        for step in program.steps:
            assert set(step.results) & (read | ends)
        assert set(leaf_names(program.inputs)) <= read


def test_a_seed_gives_the_same_program() -> None:
    for seed in range(5):
        first, second = (draw_program(np.random.default_rng(seed)) for _ in range(2))
        assert first == second
        assert hash(first) == hash(second)
    assert draw_program(np.random.default_rng(1)) != first


def test_the_source_stands_alone(several: list[Program]) -> None:
    for program in several[:10]:
        namespace: dict[str, Any] = {}
        exec(program.source(), namespace)
        with jax.disable_jit():
            value = namespace["f"](*namespace["arguments"])
            np.testing.assert_array_equal(value, program.function()(*program.arguments()))
        given = jax.tree.leaves(namespace["arguments"])
        for leaf, array in zip(given, jax.tree.leaves(program.inputs), strict=True):
            assert leaf.dtype == array.dtype
            np.testing.assert_array_equal(leaf, array)


def test_the_source_runs_in_another_interpreter(several: list[Program]) -> None:
    program = several[0]
    text = program.source() + "\nprint(float(f(*arguments)))\n"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-"], input=text, capture_output=True, text=True, check=True,
        env=environment,
    )  # fmt: skip
    with jax.disable_jit():
        expected = float(program.function()(*program.arguments()))
    assert float(done.stdout) == pytest.approx(expected, rel=1e-4)


def test_every_operation_of_a_family_has_about_the_same_chance() -> None:
    found: collections.Counter[str] = collections.Counter()
    for program in programs(60, operations=(3, 6), families=["cumulative"]):
        found += program.operations
    names = [name for name in found if name in {"cumsum", "cummax", "cumprod", "trapezoid"}]
    assert len(names) == 4
    assert max(found[n] for n in names) < 5 * min(found[n] for n in names)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_narrow_dtypes(dtype: str) -> None:
    for program in programs(4, operations=(2, 5), dtype=dtype):
        assert all(leaf.dtype == dtype for leaf in jax.tree.leaves(program.inputs))
        assert examine(program) is not None


def test_points_may_lie_at_kinks() -> None:
    found = programs(20, operations=(1, 4), kinks=True, families=["sorting", "selection"])
    assert all(examine(program, strict=False) is not None for program in found)
    assert any(examine(program, strict=True) is None for program in found)


def test_an_adapter_leads_into_a_domain() -> None:
    program = draw_one(RandomChoices(np.random.default_rng(0)), "cholesky")
    assert program is not None
    assert "positive_definite" in program.operations


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"operations": 3}, r"operations must be a pair of integers such as \(1, 12\), but is 3"),
        ({"operations": (0, 3)}, r"at least 1 .* but is \(0, 3\)"),
        ({"operations": (5, 3)}, r"but is \(5, 3\)"),
        ({"families": "fft"}, r"families must be a sequence of names or None, but is 'fft'"),
        ({"families": ["fourier"]}, r"no family 'fourier' of operations; there are elementwise,"),
        (
            {"families": ["fft"], "dtype": "float16"},
            r"no operation of the families fft takes float",
        ),
        ({"dtype": "int32"}, r"dtype must be one of float32, .* but is 'int32'"),
    ],
)
def test_bad_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(FuncgradError, match=message):
        draw_program(np.random.default_rng(0), **options)


@pytest.mark.skipif(jax.config.jax_enable_x64, reason="64-bit numbers are switched on")
def test_wide_numbers_have_to_be_switched_on() -> None:
    with pytest.raises(FuncgradError, match='dtype="float64" needs 64-bit numbers'):
        draw_program(np.random.default_rng(0), dtype="float64")
    program = draw_program(np.random.default_rng(0), operations=(1, 1))
    wide = Program(program.inputs, program.steps, program.results, wide=True)
    with pytest.raises(FuncgradError, match="was drawn with 64-bit numbers"):
        wide.function()


def test_a_program_of_64_bits_says_so() -> None:
    before = bool(jax.config.jax_enable_x64)
    with jax.enable_x64(True):
        program = draw_program(np.random.default_rng(0), operations=(2, 3), dtype="float64")
        assert 'jax.config.update("jax_enable_x64", True)' in program.source()
        assert examine(program) is not None
        assert program.arguments()[0].dtype == np.float64
    assert bool(jax.config.jax_enable_x64) == before
