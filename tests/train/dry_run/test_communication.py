"""Collectives of real texts, and every form that XLA writes them in by hand."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from funcgrad._errors import DataError
from funcgrad.train.dry_run.communication import Collective, collectives
from funcgrad.train.dry_run.hlo import parse

PROGRAMS = {path.stem: path.read_text() for path in Path(__file__).parent.glob("programs/*.txt")}
AXES = {"data": 4, "model": 2}
ROWS, COLUMNS = "{{0,2,4,6},{1,3,5,7}}", "{{0,1},{2,3},{4,5},{6,7}}"
FRAME = """
%add (a: f32[], b: f32[]) -> f32[] {
  %a = f32[] parameter(0)
  %b = f32[] parameter(1)
  ROOT %sum = f32[] add(%a, %b)
}
MORE
%body (p: f32[6]) -> f32[6] {
  %p = f32[6]{0} parameter(0)
  BODY
  ROOT %out = f32[6]{0} copy(%p)
}
%cond (q: f32[6]) -> pred[] {
  %q = f32[6]{0} parameter(0)
  ROOT %t = pred[] constant(true)
}
ENTRY %main (x: f32[6]) -> f32[6] {
  %x = f32[6]{0} parameter(0)
  BEFORE
  ROOT %w = f32[6]{0} while(%x), condition=%cond, body=%body
}
"""


def found(
    body: str, more: str = "", before: str = "", axes: Mapping[str, int] = AXES
) -> tuple[Collective, ...]:
    text = FRAME.replace("BODY", body).replace("MORE", more).replace("BEFORE", before)
    return collectives(parse(text), axes)


def reduction(groups: str) -> str:
    return (
        f"%r = f32[6]{{0}} all-reduce(%p), channel_id=1, replica_groups={groups}, "
        "use_global_device_ids=true, to_apply=%add"
    )


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_run_over_both_axes(name: str) -> None:
    """Width 8 over two: the products of hidden units are added up, and all gradients together."""
    first, second, third = collectives(parse(PROGRAMS[name]), AXES)
    assert (first.kind, first.parts, first.axes) == ("all-reduce", 1, ("model",))
    assert first.payload == 4 * 8  # of 32 examples over four places
    assert (second.kind, second.parts, second.axes) == ("all-reduce", 5, ("data",))
    assert second.payload == 4 * (4 + 1 + 4 + 4 + 1)  # half of the units, b2, and the loss
    assert (len(first.group), len(second.group)) == (2, 4)
    assert (third.kind, third.parts, third.axes) == ("all-reduce", 3, ("model",))
    assert third.payload == 3  # whether the gradients of w1, b1 and w2 are finite


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_stands_outside_of_the_loop_is_not_of_a_step(name: str) -> None:
    text = PROGRAMS[name]
    line = next(line for line in text.splitlines() if "(reduce_sum:dot_general" in line)
    before, entry, after = text.replace(line, "").partition("\nENTRY %main.12_spmd")
    heading, rest = after.split("\n", 1)
    moved = f"{before}{entry}{heading}\n{line}\n{rest}"
    assert len(collectives(parse(text), AXES)) == 3
    assert [each.axes for each in collectives(parse(moved), AXES)] == [("model",), ("model",)]


@pytest.mark.parametrize(
    ("groups", "axes", "members"),
    [
        (COLUMNS, ("model",), (0, 1)),
        (ROWS, ("data",), (0, 2, 4, 6)),
        ("[4,2]<=[8]", ("model",), (0, 1)),
        ("[2,4]<=[4,2]T(1,0)", ("data",), (0, 2, 4, 6)),
        ("[1,8]<=[8]", ("data", "model"), tuple(range(8))),
        ("{}", ("data", "model"), tuple(range(8))),
        ("{{0,1,2,3,4,5,6,7}}", ("data", "model"), tuple(range(8))),
        ("mesh['axis_0'=4,'axis_1'=2] {'axis_0'}", ("data",), (0, 2, 4, 6)),
        ("mesh['axis_0'=4,'axis_1'=2] {'axis_1'}", ("model",), (0, 1)),
        ("mesh['axis_0'=4,'axis_1'=2] {'axis_0','axis_1'}", ("data", "model"), tuple(range(8))),
        ("mesh['a'=2,'b'=1,'c'=4], device_ids=([4,2]T(1,0)) {'a'}", ("model",), (0, 1)),
        ("mesh['a'=2,'b'=1,'c'=4], device_ids=([4,2]T(1,0)) {'c'}", ("data",), (0, 2, 4, 6)),
        ("mesh['a'=2,'b'=4], device_ids=([8]) {'a'}", (), (0, 4)),
        ("mesh['a'=4,'b'=2], device_ids=(0,2,4,6,1,3,5,7) {'b'}", (), (0, 2)),
        ("mesh['x'=8] {'x':(4)2}", ("model",), (0, 1)),
        ("mesh['x'=8] {'x':(1)4}", ("data",), (0, 2, 4, 6)),
        ("mesh['x'=8] {'x':(1)2,'x':(4)2}", (), (0, 1, 4, 5)),
        ("{{0,3},{1,2}}", (), (0, 3)),
    ],
)
def test_who_takes_part(groups: str, axes: tuple[str, ...], members: tuple[int, ...]) -> None:
    (one,) = found(reduction(groups))
    assert (one.axes, one.group, one.payload) == (axes, members, 24)


@pytest.mark.parametrize("groups", ["mesh['x'=8], devices=3 {'x'}", "@mesh {'x'}", "?"])
def test_an_unknown_form_is_not_guessed(groups: str) -> None:
    with pytest.raises(DataError, match="all-reduce 'r' are in a form that is not known"):
        found(reduction(groups))


def test_several_arrays_at_once() -> None:
    (one,) = found(
        "%r = (f32[512]{0}, bf16[3]{0}, /*index=2*/f32[]) all-reduce(%p, %p, %p), "
        "replica_groups=[1,8]<=[8], to_apply=%add"
    )
    assert (one.parts, one.payload) == (3, 2048 + 6 + 4)


@pytest.mark.parametrize(
    ("line", "kind", "payload", "sent"),
    [
        ("f32[24]{0} all-gather(%p), dimensions={0}, replica_groups=" + ROWS,
         "all-gather", 96, 72),
        ("f32[6]{0} reduce-scatter(%y), dimensions={0}, to_apply=%add, replica_groups=" + ROWS,
         "reduce-scatter", 96, 72),
        ("f32[6]{0} all-reduce(%p), to_apply=%add, replica_groups=" + ROWS,
         "all-reduce", 24, 36),
        ("f32[6]{0} all-to-all(%p), dimensions={0}, replica_groups=" + COLUMNS,
         "all-to-all", 24, 12),
        ("f32[6]{0} collective-permute(%p), source_target_pairs={{0,1},{1,0}}",
         "collective-permute", 24, 24),
        ("f32[6]{0} collective-broadcast(%p), replica_groups={{0,1}}",
         "collective-broadcast", 24, 24),
    ],
)  # fmt: skip
def test_what_every_kind_sends(line: str, kind: str, payload: int, sent: float) -> None:
    (one,) = found(f"%y = f32[24]{{0}} broadcast(%p)\n  %r = {line}")
    assert (one.kind, one.payload, one.sent) == (kind, payload, sent)


def test_a_group_of_one_sends_nothing() -> None:
    (one,) = found(reduction("[8,1]<=[8]"))
    assert (one.sent, one.axes) == (0, ())


def test_a_start_and_its_end_are_one() -> None:
    (one,) = found(
        f"%s = f32[6]{{0}} all-reduce-start(%p), replica_groups={ROWS}, to_apply=%add\n"
        "  %d = f32[6]{0} all-reduce-done(%s)"
    )
    assert (one.kind, one.payload, one.times) == ("all-reduce", 24, 1)


def test_a_start_that_returns_its_operand_too() -> None:
    (one,) = found(
        "%s = (f32[6]{0}, f32[24]{0}) all-gather-start(%p), dimensions={0}, "
        f"replica_groups={ROWS}\n  %d = f32[24]{{0}} all-gather-done(%s)"
    )
    assert (one.kind, one.parts, one.payload) == ("all-gather", 1, 96)


def test_a_wrapped_one_is_counted_once() -> None:
    wrapped = f"""
%wrapped (z: f32[24]) -> f32[6] {{
  %z = f32[24]{{0}} parameter(0)
  ROOT %rs = f32[6]{{0}} reduce-scatter(%z), replica_groups={ROWS}, dimensions={{0}}, to_apply=%add
}}"""
    (one,) = found(
        "%y = f32[24]{0} broadcast(%p)\n"
        "  %s = ((f32[24]{0}), f32[6]{0}) async-start(%y), calls=%wrapped\n"
        "  %u = ((f32[24]{0}), f32[6]{0}) async-update(%s), calls=%wrapped\n"
        "  %d = f32[6]{0} async-done(%u), calls=%wrapped",
        wrapped,
    )
    assert (one.kind, one.payload, one.times) == ("reduce-scatter", 96, 1)


INNER = f"""
%inner (z: f32[6]) -> f32[6] {{
  %z = f32[6]{{0}} parameter(0)
  ROOT %again = f32[6]{{0}} all-reduce(%z), replica_groups={ROWS}, to_apply=%add
}}"""


def test_one_in_a_loop_inside_the_step_counts_as_often_as_that_runs() -> None:
    trips = 'backend_config={"known_trip_count":{"n":"3"}}'
    (one,) = found(f"%i = f32[6]{{0}} while(%p), condition=%cond, body=%inner, {trips}", INNER)
    assert one.times == 3
    with pytest.raises(DataError, match="inside a loop whose length is known only when it runs"):
        found("%i = f32[6]{0} while(%p), condition=%cond, body=%inner", INNER)


def test_only_the_step_counts() -> None:
    outside = reduction(ROWS).replace("(%p)", "(%x)")
    assert found("", before=outside) == ()
    assert len(found(reduction(ROWS), before=outside)) == 1


def test_two_are_two() -> None:
    both = found(reduction(ROWS) + "\n  " + reduction(COLUMNS).replace("%r", "%r2"))
    assert [each.axes for each in both] == [("data",), ("model",)]
