"""An audit as one page that needs nothing else: filters, sorting, and the story of every cell."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape

from ._baseline import Comparison
from ._html_script import SCRIPT
from ._html_style import STYLE
from ._judge import EPSILON, most_digits
from ._records import DTYPES, JAX, PAIRS, STATUSES, Audit, Cell, Row
from ._table import MARKS, comparison, summary

_HEADS = {
    "value": ("value", "value"),
    "reverse": ("rev", "reverse mode"),
    "forward": ("fwd", "forward mode"),
    "reverse over reverse": ("rev/rev", "reverse mode over reverse mode"),
    "forward over reverse": ("fwd/rev", "forward mode over reverse mode"),
}
_ORDERS = {
    "value": 0, "reverse": 1, "forward": 1, "reverse over reverse": 2, "forward over reverse": 2,
}  # fmt: skip
_SHADES = 5


def page(audit: Audit, compared: Comparison | None = None) -> str:
    """The page of an audit: light or dark as the reader's system is, without any resource."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>Audit of derivatives on {escape(audit.header.platform)}</title>\n"
        f"<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>Digits of accuracy on {escape(audit.header.platform)}</h1>\n"
        f'<p class="summary">{escape(summary(audit))}</p>\n'
        f"{_circumstances(audit)}{_changes(compared)}"
        f'{_filters(audit)}<div class="wide">{_table(audit)}</div>\n'
        '<aside id="story" hidden tabindex="-1"></aside>\n'
        "<noscript><p>Filters, sorting and the details of a cell need JavaScript.</p></noscript>\n"
        f'</main>\n<script type="application/json" id="cells">{_data(audit)}</script>\n'
        f"<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )


def _circumstances(audit: Audit) -> str:
    head = audit.header
    text = (
        f"funcgrad {head.funcgrad}, jax {head.jax}, jaxlib {head.jaxlib}, Python {head.python}, "
        f"{head.machine}, seed {head.seed}"
    )
    lacking = (
        f"<details><summary>{len(head.uncovered)} primitives with a rule have no case</summary>"
        f"<p>{escape(', '.join(head.uncovered))}</p></details>"
        if head.uncovered
        else ""
    )
    return f'<p class="soft">{escape(text)}</p>{lacking}\n'


def _changes(compared: Comparison | None) -> str:
    if compared is None:
        return ""
    lines = "\n".join(comparison(compared))
    opened = " open" if compared.worse else ""
    return (
        f"<details{opened}><summary>against the baseline</summary>"
        f"<pre>{escape(lines)}</pre></details>\n"
    )


# --- filters --------------------------------------------------------------------------------------


def _filters(audit: Audit) -> str:
    families = sorted({row.family for row in audit.rows})
    dtypes = [name for name in DTYPES if any(row.dtype == name for row in audit.rows)]
    present = {cell.status for _, cell in audit.cells()}
    statuses = [(s, f"{s} {MARKS[s][0]}".strip()) for s in STATUSES if s in present]
    return (
        '<form id="filters" autocomplete="off">'
        '<label>primitive <input id="text" type="search" placeholder="part of the name"></label>'
        f"{_choice('family', 'family', [(f, f) for f in families])}"
        f"{_choice('dtype', 'dtype', [(d, d) for d in dtypes])}"
        f"{_choice('status', 'status', statuses)}"
        f"{_choice('order', 'order', [('0', 'value'), ('1', 'first'), ('2', 'second')])}"
        '<label class="tick"><input id="worse" type="checkbox"> ours worse</label>'
        '<output id="count"></output></form>\n'
    )


def _choice(name: str, label: str, options: Sequence[tuple[str, str]]) -> str:
    listed = "".join(f'<option value="{escape(v)}">{escape(t)}</option>' for v, t in options)
    return (
        f'<label>{label} <select id="{name}"><option value="">all</option>{listed}</select></label>'
    )


# --- the table ------------------------------------------------------------------------------------


def _table(audit: Audit) -> str:
    heads = "".join(
        f'<th data-order="{_ORDERS[column]}" class="number" title="{_HEADS[column][1]}, '
        f'{"JAX" if engine == JAX else "ours"}"><button>{_HEADS[column][0]}</button></th>'
        for engine, column in PAIRS
    )
    jax = sum(engine == JAX for engine, _ in PAIRS)
    groups = (
        f'<th colspan="3"></th><th colspan="{jax}">JAX</th>'
        f'<th colspan="{len(PAIRS) - jax}">ours</th>'
    )
    body = "\n".join(_row(number, row) for number, row in enumerate(audit.rows))
    return (
        f'<table><thead><tr class="groups">{groups}</tr><tr><th><button>primitive</button></th>'
        f"<th><button>case</button></th><th><button>dtype</button></th>{heads}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody></table>"
    )


def _row(number: int, row: Row) -> str:
    most = most_digits(EPSILON[row.dtype])
    cells = "".join(_cell(cell, most) for cell in row.cells)
    return (
        f'<tr data-row="{number}" data-family="{escape(row.family)}" data-dtype="{row.dtype}">'
        f"<th>{escape(row.primitive)}</th><td>{row.case}</td><td>{row.dtype}</td>{cells}</tr>"
    )


def _cell(cell: Cell, most: float) -> str:
    """A cell: its status is a class, a mark and a word in its label; the shade shows the digits."""
    mark = MARKS[cell.status][0]
    digits = "" if cell.digits is None else f"{cell.digits:.1f}"
    worse = "&lt;" if cell.worse else ""
    shade = (
        "" if cell.digits is None else f" d{min(_SHADES - 1, int(_SHADES * cell.digits / most))}"
    )
    name = f"{'JAX' if cell.engine == JAX else 'ours'}, {cell.column}: {cell.status}"
    label = f"{name}{f', {digits} digits' if digits else ''}{', worse than JAX' * cell.worse}"
    status = cell.status.replace(" ", "-")
    attributes = f'data-order="{_ORDERS[cell.column]}"{" data-worse" * cell.worse}'
    return (
        f'<td class="cell {status}{shade}" {attributes}>'
        f'<button aria-label="{label}">{worse}{mark}{digits}</button></td>'
    )


def _data(audit: Audit) -> str:
    """What a click shows. References repeat, and are listed once."""
    texts: dict[str, int] = {}

    def number(text: str) -> int:
        return texts.setdefault(text, len(texts))

    rows = [
        [
            number(row.note), number(row.shapes), row.point, number(row.topic), row.seconds,
            [[number(cell.reference), number(cell.message)] for cell in row.cells],
        ]
        for row in audit.rows
    ]  # fmt: skip
    data = {"rows": rows, "texts": list(texts), "columns": [list(pair) for pair in PAIRS]}
    # Inside a script nothing may look like the end of it.
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
