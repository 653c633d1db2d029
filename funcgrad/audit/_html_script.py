"""The script of an audit's page: filters, sorting, and the story of a cell."""

from __future__ import annotations

SCRIPT = r"""
(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("cells").textContent);
  const body = document.querySelector("tbody");
  const rows = [...body.rows];
  const by = id => document.getElementById(id);
  const story = by("story");
  const FIRST = 3;

  // --- filters: a row is shown if one of its cells passes all that is asked of cells ---
  function passes(cell, status, order, worse) {
    return (!status || cell.classList.contains(status.replace(" ", "-")))
      && (!order || cell.dataset.order === order)
      && (!worse || "worse" in cell.dataset);
  }
  function filter() {
    const text = by("text").value.trim().toLowerCase();
    const [family, dtype, status, order] =
      ["family", "dtype", "status", "order"].map(id => by(id).value);
    const worse = by("worse").checked;
    let shown = 0;
    for (const row of rows) {
      const cells = [...row.cells].slice(FIRST);
      const fits = row.cells[0].textContent.toLowerCase().includes(text)
        && (!family || row.dataset.family === family)
        && (!dtype || row.dataset.dtype === dtype)
        && cells.some(cell => passes(cell, status, order, worse));
      row.hidden = !fits;
      shown += fits;
      if (fits) for (const cell of cells) {
        cell.classList.toggle("faint", !passes(cell, status, order, worse));
      }
    }
    for (const head of document.querySelectorAll("thead [data-order]")) {
      head.classList.toggle("faint", order !== "" && head.dataset.order !== order);
    }
    by("count").textContent = `${shown} of ${rows.length} rows`;
  }
  by("filters").addEventListener("input", filter);
  by("filters").addEventListener("submit", event => event.preventDefault());

  // --- sorting: by digits, what has none first, since it is what one looks for ---
  const heads = [...document.querySelectorAll("thead tr:last-child th")];
  function key(row, column) {
    const text = row.cells[column].textContent;
    if (column !== 1 && column < FIRST) return text;
    const number = parseFloat(text.replace(/^[^0-9]+/, ""));
    return Number.isNaN(number) ? -1 : number;
  }
  function sort(column) {
    const head = heads[column];
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const sign = down ? -1 : 1;
    const keyed = rows.map((row, place) => [key(row, column), place, row]);
    keyed.sort((a, b) => (a[0] < b[0] ? -sign : a[0] > b[0] ? sign : a[1] - b[1]));
    body.append(...keyed.map(entry => entry[2]));
  }
  heads.forEach((head, column) => head.firstChild.addEventListener("click", () => sort(column)));

  // --- the story of a cell ---
  function add(list, label, value, code) {
    if (value === "" || value === null) return;
    const dt = document.createElement("dt"), dd = document.createElement("dd");
    dt.textContent = label;
    dd.textContent = value;
    if (code) dd.className = "code";
    list.append(dt, dd);
  }
  function tell(cell) {
    const row = cell.parentNode, place = cell.cellIndex - FIRST;
    const [note, shapes, point, topic, seconds, cells] = data.rows[row.dataset.row];
    const [engine, column] = data.columns[place];
    const [reference, message] = cells[place].map(number => data.texts[number]);
    const list = document.createElement("dl");
    add(list, "result", cell.firstChild.getAttribute("aria-label").replace(/^[^:]*: /, ""));
    add(list, "message", message);
    add(list, "reference", reference);
    add(list, "note", data.texts[note]);
    add(list, "rule", `${row.dataset.family}, in ${data.texts[topic]}`);
    add(list, "shapes", data.texts[shapes]);
    add(list, "input", point, true);
    add(list, "seconds", seconds ? String(seconds) : "");
    const title = document.createElement("h2"), close = document.createElement("button");
    title.textContent = `${row.cells[0].textContent}, case ${row.cells[1].textContent}, `
      + `${row.dataset.dtype}: ${engine === "jax" ? "JAX" : "ours"}, ${column}`;
    close.textContent = "\u00d7";
    close.className = "close";
    close.setAttribute("aria-label", "close");
    close.addEventListener("click", hide);
    story.replaceChildren(title, close, list);
    story.hidden = false;
    for (const other of document.querySelectorAll(".chosen")) other.classList.remove("chosen");
    cell.classList.add("chosen");
  }
  function hide() {
    story.hidden = true;
    for (const cell of document.querySelectorAll(".chosen")) {
      cell.classList.remove("chosen");
      cell.firstChild.focus();
    }
  }
  body.addEventListener("click", event => {
    const cell = event.target.closest(".cell");
    if (cell) tell(cell);
  });
  document.addEventListener("keydown", event => { if (event.key === "Escape") hide(); });
  filter();
})();
"""
