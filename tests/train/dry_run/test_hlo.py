"""Texts of compiled programs: two of WideNet's run over data=4,model=2, and small ones by hand."""

import math
from pathlib import Path

import pytest

from funcgrad._errors import DataError
from funcgrad.train.dry_run.hlo import Array, body_of, parse, reached, training_loop

PROGRAMS = {path.stem: path.read_text() for path in Path(__file__).parent.glob("programs/*.txt")}
LOOP = """
HloModule run
%cond (c: (s32[], f32[4])) -> pred[] {
  %c = (s32[], f32[4]{0}) parameter(0)
  ROOT %less = pred[] constant(true)
}
%inner_cond (d: f32[4]) -> pred[] {
  %d = f32[4]{0} parameter(0)
  ROOT %go = pred[] constant(true)
}
%inner (e: f32[4]) -> f32[4] {
  %e = f32[4]{0} parameter(0)
  ROOT %twice = f32[4]{0} add(%e, %e)
}
%body (p: (s32[], f32[4])) -> (s32[], f32[4]) {
  %p = (s32[], /*index=1*/f32[4]{0:T(128)}) parameter(0)
  %i = s32[] get-tuple-element(%p), index=0
  %x = f32[4]{0} get-tuple-element((s32[], f32[4]{0}) %p), index=1
  %y = f32[4]{0} while(%x), condition=%inner_cond, body=%inner, TRIPS
  ROOT %next = (s32[], f32[4]{0}) tuple(%i, %y)
}
ENTRY %main (a: (s32[], f32[4])) -> (s32[], f32[4]) {
  %a = (s32[], f32[4]{0}) parameter(0)
  ROOT %w = (s32[], f32[4]{0}) while(%a), condition=%cond, body=%body
}
"""
KNOWN = 'backend_config={"known_trip_count":{"n":"5"}}'


def loop(trips: str = KNOWN) -> str:
    return LOOP.replace("TRIPS", trips)


def test_there_is_a_text_of_each_supported_line() -> None:
    assert set(PROGRAMS) == {"jax-0.10", "jax-0.12"}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_run_is_one_loop(name: str) -> None:
    module = parse(PROGRAMS[name])
    assert module.entry == "main.12_spmd"
    found = training_loop(module)
    assert len(found.arrays) == 21  # what is carried, and the examples
    body = module.computations[body_of(found)]
    assert sum(line.opcode == "all-reduce" for line in body) == 3
    assert [line.root for line in body].count(True) == 1


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_operand_is_a_line_of_the_same_computation(name: str) -> None:
    for lines in parse(PROGRAMS[name]).computations.values():
        names = {line.name for line in lines}
        for line in lines:
            if line.opcode not in ("parameter", "constant"):
                assert names.issuperset(line.operands), line


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_line_is_read(name: str) -> None:
    module, text = parse(PROGRAMS[name]), PROGRAMS[name]
    read = sum(map(len, module.computations.values()))
    assert read == sum(" = " in line for line in text.splitlines()[1:])


def test_lines_have_types_operands_and_attributes() -> None:
    module = parse(loop())
    lines = {line.name: line for lines in module.computations.values() for line in lines}
    assert lines["p"].arrays == (Array("s32", ()), Array("f32", (4,)))
    assert lines["p"].size == 20
    assert lines["x"].operands == ("p",)
    assert lines["y"].called == ("inner_cond", "inner")
    assert (lines["y"].trips, lines["w"].trips) == (5, None)
    assert lines["next"].root
    assert not lines["y"].root


@pytest.mark.parametrize(("trips", "times"), [(KNOWN, 5), ("metadata={}", math.inf)])
def test_an_inner_loop_counts_as_often_as_it_runs(trips: str, times: float) -> None:
    module = parse(loop(trips))
    found = {line.name: count for count, line in reached(module, body_of(training_loop(module)))}
    assert found["twice"] == times
    assert found["y"] == 1


def test_branches_are_reached() -> None:
    module = parse("""
    left {
      a = f32[] parameter(0)
    }
    right {
      b = f32[] parameter(0)
    }
    ENTRY main {
      i = s32[] parameter(0)
      x = f32[] parameter(1)
      ROOT y = f32[] conditional(i, x, x), branch_computations={left, right}
    }
    """)
    assert {line.name for _, line in reached(module, "main")} == {"i", "x", "y", "a", "b"}


def test_words_between_quotation_marks_are_no_program() -> None:
    module = parse("""
    ENTRY %main (x: f32[2]) -> f32[2] {
      %x = f32[2]{0} parameter(0), metadata={op_name="carry.params[\\'w\\'] (\\"calls=%f)"}
      ROOT %y = f32[2]{0} negate(%x), metadata={op_name="body=%g, to_apply=%h)"}
    }
    """)
    assert [line.called for line in module.computations["main"]] == [(), ()]


@pytest.mark.parametrize(
    ("array", "size"),
    [
        (Array("f32", (3, 5)), 60),
        (Array("f64", ()), 8),
        (Array("c64", (2,)), 16),
        (Array("f8e4m3fn", (7,)), 7),
        (Array("s4", (3,)), 2),
        (Array("token", ()), 0),
    ],
)
def test_bytes(array: Array, size: int) -> None:
    assert array.size == size


@pytest.mark.parametrize("shape", ["f8e4m3fn[7]{0}", "bf16[2,3]{1,0:T(8,128)(2,1)}", "u32[<=5]"])
def test_types_are_read(shape: str) -> None:
    module = parse(f"ENTRY main {{\nROOT x = {shape} parameter(0)\n}}")
    assert module.computations["main"][0].size in (7, 12, 20)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no ENTRY"),
        ("main {\n x = f32[] parameter(0)\n}", "no ENTRY"),
        ("ENTRY main {\n x = f32[] negate(y", "cut off"),
    ],
)
def test_what_is_no_program_is_told(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse(text)


def test_a_program_without_or_with_two_loops_is_no_run() -> None:
    none = loop().replace("while(%a), condition=%cond, body=%body", "copy(%a)")
    with pytest.raises(DataError, match="the compiled program has 0"):
        training_loop(parse(none))
    two = loop().replace("  ROOT %w", "  %v = (s32[], f32[4]{0}) while(%a), condition=%cond, "
                         "body=%body\n  ROOT %w")  # fmt: skip
    with pytest.raises(DataError, match="the compiled program has 2"):
        training_loop(parse(two))
