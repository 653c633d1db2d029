"""The style of an audit's page."""

from __future__ import annotations

STYLE = """
:root { --ground: #ffffff; --ink: #1c2024; --soft: #5b646d; --line: #d8dde2; --card: #f6f8fa;
  --wrong: #b3261e; --wrong-ground: #fbe3e1; --poor: #7a4f00; --poor-ground: #fcefd2;
  --open: #0b6b8a; --green: 26 127 55; color-scheme: light; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171a; --ink: #e6e9ec; --soft: #a0a9b2;
  --line: #3a4249; --card: #1d2226; --wrong: #ff8a80; --wrong-ground: #4a1f1c; --poor: #f0bd5e;
  --poor-ground: #40310f; --open: #6cc7e8; --green: 111 221 139; color-scheme: dark; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.25rem; line-height: 1.3; margin: 0 0 .5rem; }
p { margin: 0 0 .5rem; overflow-wrap: anywhere; }
.soft, details { color: var(--soft); font-size: .9rem; }
summary { cursor: pointer; }
pre { font: .8rem/1.4 ui-monospace, monospace; overflow-x: auto; white-space: pre-wrap; }
#filters { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; margin: 1rem 0;
  padding: .75rem 1rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 6px; }
#filters label { color: var(--soft); font-size: .9rem; }
#filters input, #filters select { font: inherit; color: var(--ink); background: var(--ground);
  border: 1px solid var(--line); border-radius: 4px; padding: .15rem .4rem; }
#filters input[type=search] { width: 11rem; }
#count { color: var(--soft); font-size: .9rem; margin-left: auto; }
.wide { overflow: auto; max-height: 75vh; border: 1px solid var(--line); border-radius: 6px; }
table { border-collapse: separate; border-spacing: 0; width: 100%;
  font-variant-numeric: tabular-nums; }
th, td { padding: .1rem .4rem; text-align: left; font-weight: normal;
  border-bottom: 1px solid var(--line); white-space: nowrap; }
thead { position: sticky; top: 0; z-index: 2; }
thead th { background: var(--card); color: var(--soft); }
tbody th { position: sticky; left: 0; background: var(--ground); font-weight: 600; z-index: 1; }
.groups th { border-left: 1px solid var(--line); text-align: center; }
.number, .cell { text-align: right; }
button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; }
button:focus-visible { outline: 2px solid var(--open); outline-offset: 2px; }
thead [aria-sort=ascending] button::after { content: " \\2191"; }
thead [aria-sort=descending] button::after { content: " \\2193"; }
.cell { padding: 0; }
.cell button { width: 100%; min-width: 3.2rem; padding: .1rem .4rem; text-align: right; }
.cell.d4 { background: rgb(var(--green) / .30); }
.cell.d3 { background: rgb(var(--green) / .22); }
.cell.d2 { background: rgb(var(--green) / .14); }
.cell.d1 { background: rgb(var(--green) / .07); }
.cell.unchecked { color: var(--open); background: none; }
.cell.unsupported { color: var(--soft); }
.cell.poor { color: var(--poor); background: var(--poor-ground); }
.cell.wrong, .cell.raises, .cell.crashed, .cell.timed-out { color: var(--wrong);
  background: var(--wrong-ground); font-weight: 600; }
.cell[data-worse] { box-shadow: inset 3px 0 0 var(--poor); }
[data-order].faint, [data-order].faint * { opacity: .35; }
.chosen { outline: 2px solid var(--open); outline-offset: -2px; }
#story { position: fixed; z-index: 3; right: 1rem; bottom: 1rem; width: min(34rem, 100vw - 2rem);
  max-height: 60vh; overflow: auto; background: var(--card); border: 1px solid var(--line);
  border-radius: 6px; padding: .75rem 1rem; box-shadow: 0 4px 24px rgb(0 0 0 / .3); }
#story[hidden] { display: none; }
#story h2 { font-size: 1rem; margin: 0 2rem .5rem 0; overflow-wrap: anywhere; }
#story .close { position: absolute; right: .75rem; top: .6rem; font-size: 1.1rem; }
dl { display: grid; grid-template-columns: 6rem minmax(0, 1fr); gap: .15rem .5rem; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
dd.code { font: .85rem/1.5 ui-monospace, monospace; }
@media (max-width: 40rem) { main { padding: .6rem; } #filters { padding: .6rem; }
  .wide { max-height: 65vh; } body { font-size: 14px; }
  tbody th { max-width: 7.5rem; overflow: hidden; text-overflow: ellipsis; } }
"""
