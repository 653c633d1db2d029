"""The page: every row, filters, nothing from outside."""

from __future__ import annotations

import json
import re

from funcgrad.audit import compare
from funcgrad.audit._html import page
from tests.audit.samples import audit_of, ours, row

AUDIT = audit_of(
    row(),
    row("cos", "float64", forward_over_reverse=ours("forward over reverse", "unsupported")),
    row("tan", reverse=ours("reverse", "timed out", message="no end <soon>", worse=True)),
)


def test_every_row_and_every_cell_is_there() -> None:
    text = page(AUDIT)
    assert re.findall(r'<tr data-row="(\d)"', text) == ["0", "1", "2"]
    assert text.count('<td class="cell ') == 3 * 9
    for name in ("sin", "cos", "tan"):
        assert f"<th>{name}</th>" in text
    assert 'aria-label="ours, reverse: timed out, worse than JAX"' in text
    assert '<td class="cell timed-out" data-order="1" data-worse>' in text


def test_filters_and_their_script() -> None:
    text = page(AUDIT)
    for name in ("text", "family", "dtype", "status", "order", "worse"):
        assert f'id="{name}"' in text
    assert '<option value="timed out">timed out T</option>' in text
    assert "function filter()" in text
    assert "function sort(column)" in text


def test_what_a_click_shows_is_in_the_data() -> None:
    found = re.search(r'id="cells">(.*?)</script>', page(AUDIT), re.DOTALL)
    assert found is not None
    data = json.loads(found.group(1))
    assert len(data["rows"]) == 3
    assert {"</script>", "differences", "no end <soon>", "2x3"} <= set(data["texts"])


def test_the_page_needs_nothing_else_and_names_are_escaped() -> None:
    text = page(AUDIT, compare(audit_of(row()), AUDIT))
    assert not re.search(r"https?:|src=|@import|url\(", text)
    assert "Some &lt;chip&gt;" in text
    assert "<chip>" not in text
    assert "prefers-color-scheme: dark" in text
    assert "against the baseline" in text
