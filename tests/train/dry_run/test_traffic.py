"""Bytes that a computation moves; `tests/parallel` holds a whole run against XLA's own count."""

import pytest

from funcgrad.train.dry_run.hlo import parse
from funcgrad.train.dry_run.traffic import traffic

BODIES = """
%whole (p: f32[100]) -> f32[100] {
  %p = f32[100]{0} parameter(0)
  ROOT %n = f32[100]{0} negate(%p)
}
%written (p: f32[100], v: f32[], i: s32[]) -> f32[100] {
  %p = f32[100]{0} parameter(0)
  %v = f32[] parameter(1)
  %b = f32[1]{0} bitcast(%v)
  %i = s32[] parameter(2)
  ROOT %d = f32[100]{0} dynamic-update-slice(%p, %b, %i)
}
%both (p: f32[100], i: s32[]) -> f32[100] {
  %p = f32[100]{0} parameter(0)
  %i = s32[] parameter(1)
  %s = f32[1]{0} dynamic-slice(%p, %i), dynamic_slice_sizes={1}
  %c = f32[100]{0} broadcast(%s)
  ROOT %a = f32[100]{0} add(%p, %c)
}
%few (p: f32[100]) -> f32[10] {
  %p = f32[100]{0} parameter(0)
  ROOT %s = f32[10]{0} slice(%p), slice={[0:10]}
}
"""


def moved(*lines: str) -> float:
    text = "\n  ".join(["%x = f32[100]{0} parameter(0)", "%i = s32[] constant(3)",
                        "%v = f32[] constant(0)", *lines])  # fmt: skip
    return traffic(parse(f"{BODIES}\nENTRY %main {{\n  {text}\n}}"), "main")


@pytest.mark.parametrize(
    ("line", "bytes_moved"),
    [
        ("%y = f32[100]{0} copy(%x)", 800),
        ("%y = f32[10,10]{1,0} bitcast(%x)", 0),
        ("%y = (f32[100]{0}, s32[]) tuple(%x, %i)", 0),
        ("%y = f32[100]{0} fusion(%x), kind=kLoop, calls=%whole", 800),
        ("%y = f32[100]{0} fusion(%x, %v, %i), kind=kLoop, calls=%written", 4 + 4 + 4),
        ("%y = f32[100]{0} fusion(%x, %i), kind=kLoop, calls=%both", 804),
        ("%y = f32[10]{0} fusion(%x), kind=kLoop, calls=%few", 80),
        ("%y = f32[10]{0} dynamic-slice(%x, %i), dynamic_slice_sizes={10}", 84),
        ("%y = f32[100]{0} dynamic-update-slice(%x, %v, %i)", 4 + 4 + 4),
        ("%y = f32[100]{0} call(%x), to_apply=%whole", 800),
        ("%y = f32[100]{0} conditional(%i, %x, %x), branch_computations={%whole, %few}", 800),
        ("%y = f32[100]{0} all-reduce-start(%x), to_apply=%whole\n"
         "  %z = f32[100]{0} all-reduce-done(%y)", 800),
    ],
)  # fmt: skip
def test_what_is_read_and_written(line: str, bytes_moved: float) -> None:
    assert moved(line) == bytes_moved


def test_an_inner_loop_counts_once() -> None:
    assert moved("%y = f32[100]{0} while(%x), condition=%few, body=%whole") == 800 + 80
