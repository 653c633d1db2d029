"""Colours and lines of the SVG picture, for a light and for a dark surrounding.

Kinds differ by their borders and words first; the colours are of the palette of Okabe and Ito,
which colour-blind readers tell apart, darkened or lightened until text on them has a contrast of
7 to 1. Every rule is bound to one picture's id: styles inside an SVG hold for the whole page.
"""

from __future__ import annotations

from ._cards import SIZE, SMALL

FONT = (
    'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", '
    "monospace"
)

LIGHT = {
    "paper": "#ffffff",
    "ink": "#1b1f24",
    "soft": "#474d55",
    "line": "#6a7078",
    "gradient": "#8a2f00",
    "input": "#e3f0fa",
    "input-line": "#00588f",
    "constant": "#f1f2f3",
    "constant-line": "#5a6068",
    "step": "#ffffff",
    "step-line": "#474d55",
    "body": "#f8eaf3",
    "body-line": "#8c3a69",
    "output": "#fdf3d9",
    "output-line": "#7a5600",
    "broken-line": "#b00020",
}
DARK = {
    "paper": "#14171b",
    "ink": "#f0f2f4",
    "soft": "#b9c0c8",
    "line": "#8f979f",
    "gradient": "#ffb38a",
    "input": "#12293a",
    "input-line": "#6cb9ee",
    "constant": "#22262b",
    "constant-line": "#a4abb3",
    "step": "#1c2025",
    "step-line": "#b9c0c8",
    "body": "#321e2b",
    "body-line": "#e29ac2",
    "output": "#322808",
    "output-line": "#e6b93c",
    "broken-line": "#ff7b8a",
}
KINDS = ("input", "constant", "step", "body", "output")

_STILL = """
{id} text {{ font-family: {font}; font-size: {size}px; white-space: pre; }}
{id} .name, {id} .title {{ font-weight: 700; }}
{id} .frozen .name {{ font-weight: 400; }}
{id} .tag, {id} .partial text, {id} .legend text {{ font-size: {small}px; }}
{id} .box {{ stroke-width: 1.4; }}
{id} .input .box, {id} .key-input {{ stroke-width: 2.2; }}
{id} .constant .box, {id} .key-constant {{ stroke-dasharray: 5 3; }}
{id} .output .box, {id} .key-output {{ stroke-width: 3.2; }}
{id} .inset {{ fill: none; stroke-width: 1.2; }}
{id} .line {{ fill: none; stroke-width: 1.4; }}
{id} .idle .line, {id} .key-idle {{ stroke-dasharray: 3 4; }}
"""
_COLOURED = """
{id} .paper, {id} .partial rect {{ fill: {paper}; }}
{id} text {{ fill: {ink}; }}
{id} .tag, {id} .partial text, {id} .legend text {{ fill: {soft}; }}
{id} .gradient {{ fill: {gradient}; }}
{id} .line {{ stroke: {line}; }}
{id} .head {{ fill: {line}; }}
"""


def style(identity: str) -> str:
    """The style sheet of the picture with this id."""
    still = _STILL.format(id=f"#{identity}", font=FONT, size=SIZE, small=SMALL)
    dark = _colour(identity, DARK)
    return f"{still}{_colour(identity, LIGHT)}@media (prefers-color-scheme: dark) {{{dark}}}\n"


def _colour(identity: str, palette: dict[str, str]) -> str:
    rules = [_COLOURED.format(id=f"#{identity}", **palette)]
    for kind in KINDS:
        fill, line = palette[kind], palette[f"{kind}-line"]
        rules.append(f"#{identity} .{kind} .box, #{identity} .key-{kind}")
        rules.append(f" {{ fill: {fill}; stroke: {line}; }}\n")
        rules.append(f"#{identity} .{kind} .inset {{ stroke: {line}; }}\n")
    rules.append(f"#{identity} .broken .box {{ stroke: {palette['broken-line']}; }}\n")
    return "".join(rules)
