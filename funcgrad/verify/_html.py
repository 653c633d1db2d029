"""A check's report as one page that needs nothing else, or as a part of a notebook's page."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ._html_plot import plot
from ._text import facts, headline, ladder_rows, summary, title

if TYPE_CHECKING:
    from ._findings import Finding, Report

_SHOWN = 50

# Every rule is about what lies inside the report, so that a notebook around it stays as it is. The
# report has a ground of its own: a notebook may be light where the system is dark.
_STYLE = """
.funcgrad-check { --ground: #ffffff; --ink: #1c2024; --soft: #5b646d; --line: #d8dde2;
  --card: #f6f8fa; --wrong: #b3261e; --right: #1a7f37; --kink: #0b6b8a; --open: #8a5a00;
  color-scheme: light; background: var(--ground); color: var(--ink); box-sizing: border-box;
  max-width: 60rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; text-align: left;
  font: 15px/1.5 system-ui, sans-serif; }
@media (prefers-color-scheme: dark) { .funcgrad-check { --ground: #14171a; --ink: #e6e9ec;
  --soft: #a0a9b2; --line: #3a4249; --card: #1d2226; --wrong: #ff8a80; --right: #6fdd8b;
  --kink: #6cc7e8; --open: #f0bd5e; color-scheme: dark; } }
.funcgrad-check h1 { font-size: 1.25rem; line-height: 1.3; margin: 0 0 1rem; padding: 0;
  color: inherit; }
.funcgrad-check h2 { font-size: 1rem; margin: 0 0 .5rem; padding: 0; color: inherit; }
.funcgrad-check section { background: var(--card); border: 1px solid var(--line);
  border-left: 4px solid var(--soft); border-radius: 6px; padding: .75rem 1rem;
  margin: 0 0 1rem; }
.funcgrad-check .wrong { border-left-color: var(--wrong); }
.funcgrad-check .kink { border-left-color: var(--kink); }
.funcgrad-check .inconclusive { border-left-color: var(--open); }
.funcgrad-check .right { border-left-color: var(--right); }
.funcgrad-check .wrong .word { color: var(--wrong); }
.funcgrad-check .kink .word { color: var(--kink); }
.funcgrad-check .inconclusive .word { color: var(--open); }
.funcgrad-check .right .word { color: var(--right); }
.funcgrad-check dl { display: grid; grid-template-columns: 7.5rem minmax(0, 1fr); gap: .15rem .5rem;
  margin: 0; }
.funcgrad-check dt { color: var(--soft); font-weight: normal; margin: 0; }
.funcgrad-check dd { margin: 0; white-space: pre-wrap; }
.funcgrad-check dd.code { font-family: ui-monospace, monospace; font-size: .9em; }
.funcgrad-check dd.usually { font-weight: 600; }
.funcgrad-check figure { margin: .75rem 0 0; padding: 0; }
.funcgrad-check svg { display: block; width: 100%; max-width: 34rem; height: auto;
  background: none; }
.funcgrad-check svg text { fill: var(--soft); font: 11px system-ui, sans-serif; }
.funcgrad-check svg .end { text-anchor: end; }
.funcgrad-check svg .middle { text-anchor: middle; }
.funcgrad-check svg path { fill: none; stroke: var(--soft); }
.funcgrad-check svg .grid { stroke: var(--line); }
.funcgrad-check svg .bound { stroke: var(--ink); stroke-dasharray: 6 4; }
.funcgrad-check svg polyline { fill: none; stroke-width: 1.2; opacity: .6; }
.funcgrad-check svg .expected polyline { stroke: var(--right); }
.funcgrad-check svg .expected circle { fill: var(--right); }
.funcgrad-check svg .received polyline { stroke: var(--wrong); }
.funcgrad-check svg .received rect { fill: var(--wrong); }
.funcgrad-check figcaption { font-size: .85rem; color: var(--soft); margin: .25rem 0 0; }
.funcgrad-check figcaption span { margin-right: 1rem; white-space: nowrap; }
.funcgrad-check figcaption b.expected { color: var(--right); }
.funcgrad-check figcaption b.received { color: var(--wrong); }
.funcgrad-check figcaption b.bound { color: var(--ink); }
.funcgrad-check details { margin-top: .5rem; font-size: .9rem; }
.funcgrad-check summary { cursor: pointer; color: var(--soft); }
.funcgrad-check pre { font: .8rem/1.4 ui-monospace, monospace; overflow-x: auto; margin: .5rem 0 0;
  padding: 0; background: none; color: inherit; }
@media (max-width: 30rem) { .funcgrad-check { padding: .75rem; }
  .funcgrad-check section { padding: .6rem .7rem; }
  .funcgrad-check dl { grid-template-columns: 6.2rem minmax(0, 1fr); font-size: .92rem; }
  .funcgrad-check svg text { font-size: 15px; } }
"""
# Only in a page of one's own: around the report there is nothing but its ground.
_PAGE_STYLE = """
body { margin: 0; background: #ffffff; }
@media (prefers-color-scheme: dark) { body { background: #14171a; } }
"""
_CODE = frozenset({"where", "expected", "received", "difference", "bound", "source", "again"})


def page(report: Report) -> str:
    """The report as a page: light or dark as the reader's system is, and without any resource."""
    name = escape(report.name)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{name}: check of its derivatives</title>\n<style>{_PAGE_STYLE}</style>\n"
        f"</head>\n<body>\n{fragment(report, 'main')}\n</body>\n</html>\n"
    )


def fragment(report: Report, element: str = "div") -> str:
    """The report as one element with its style, to be put into a page."""
    shown = report.findings[:_SHOWN]
    rest = len(report.findings) - len(shown)
    parts = [
        f"<style>{_STYLE}</style>",
        f'<h1 class="{escape(report.verdict)}"><span class="word">'
        f"{escape(headline(report))}</span></h1>",
        *(_section(number, finding) for number, finding in enumerate(shown, 1)),
        f"<p>... and {rest} more</p>" if rest else "",
        _table(summary(report)),
    ]
    return f'<{element} class="funcgrad-check">{"".join(parts)}</{element}>'


def _section(number: int, finding: Finding) -> str:
    # The class of the heading's colour is that of the verdict, which is one of four words.
    head = (
        f'<h2>{number}. <span class="word">{escape(title(finding))}</span>: '
        f"{escape(finding.message)}</h2>"
    )
    rows = "\n".join(ladder_rows(finding))
    steps = (
        f"<details><summary>every step</summary><pre>{escape(rows)}</pre></details>" if rows else ""
    )
    verdict = escape(finding.verdict)
    return (
        f'<section class="{verdict}">{head}{_table(facts(finding))}{plot(finding)}{steps}</section>'
    )


def _table(rows: list[tuple[str, str]]) -> str:
    if not rows:
        return ""
    cells = (
        f'<dt>{escape(label)}</dt><dd class="{_style(label)}">{_value(value)}</dd>'
        for label, value in rows
    )
    return f"<dl>{''.join(cells)}</dl>"


def _value(value: str) -> str:
    """A value; a program keeps its lines, and is scrolled rather than broken."""
    return f"<pre>{escape(value)}</pre>" if "\n" in value else escape(value)


def _style(label: str) -> str:
    return "code" if label in _CODE else label.split(maxsplit=1)[0]
