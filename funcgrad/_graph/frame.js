// Elements made of texts, and the window on a picture: light or dark, zoom, scrolling, dragging, and where a tip stands.
"use strict";
const elements = (() => {
  function make(tag, text) {
    const element = document.createElement(tag);
    element.textContent = text;
    return element;
  }

  const list = (facts) => facts.flatMap(([name, text]) => [make("dt", name), make("dd", text)]);

  const whole = (text) => text.replaceAll("/∂", "/\u2060∂"); // no line ends within a derivative

  // The parts of an equation stand below each other.
  const lines = (text) => whole(text).split(/(?= = | → )/).map((part) => make("span", part));

  return { make, list, whole, lines };
})();

const frame = (() => {
  const root = document.documentElement;
  const preferred = matchMedia("(prefers-color-scheme: dark)");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const around = () => document.getElementById("view");
  let distance = 0; // of the last drag; a click at the end of one is not meant

  const paint = (dark) => { root.dataset.theme = dark ? "dark" : "light"; };
  const turn = () => paint(root.dataset.theme !== "dark");
  paint(preferred.matches); // before the page is drawn
  preferred.addEventListener("change", (event) => paint(event.matches));

  function zoom(view, scale) {
    view.zoom = Math.max(0.1, Math.min(4, scale));
    view.svg.setAttribute("width", view.width * view.zoom);
    view.svg.setAttribute("height", view.height * view.zoom);
  }

  function fit(view) { // the whole picture; but text that nobody can read helps nobody
    const { clientWidth, clientHeight } = around();
    const across = clientWidth / view.width;
    const whole = Math.min(across, clientHeight / view.height, 1.6);
    zoom(view, whole >= 0.75 ? whole : Math.max(0.75, Math.min(across, 1)));
  }

  function reveal(element) { // with what is around it
    const outer = around().getBoundingClientRect();
    const inner = element.getBoundingClientRect();
    const away = (low, high, start, end) => {
      const margin = Math.min(120, (end - start) / 5);
      return low < start + margin || high > end - margin ? (low + high - start - end) / 2 : 0;
    };
    const left = away(inner.left, inner.right, outer.left, outer.right);
    const top = away(inner.top, inner.bottom, outer.top, outer.bottom);
    const behavior = still.matches ? "auto" : "smooth";
    if (left || top) around().scrollBy({ left, top, behavior });
  }

  function drag(event) {
    distance = 0;
    if (event.pointerType !== "mouse" || event.button !== 0) return;
    const move = (now) => {
      distance += Math.abs(now.movementX) + Math.abs(now.movementY);
      around().classList.add("dragged");
      around().scrollBy(-now.movementX, -now.movementY);
    };
    const end = () => {
      around().classList.remove("dragged");
      around().removeEventListener("pointermove", move);
    };
    around().addEventListener("pointermove", move);
    addEventListener("pointerup", end, { once: true });
  }

  function place(tip, event) { // beside the pointer, inside the window
    const { width, height } = tip.getBoundingClientRect();
    const put = (at, size, room) => (at + 18 + size < room ? at + 18 : Math.max(4, at - size - 12));
    tip.style.left = `${put(event.clientX, width, innerWidth)}px`;
    tip.style.top = `${put(event.clientY, height, innerHeight)}px`;
  }

  return { turn, zoom, fit, reveal, drag, place, wasDragged: () => distance > 6 };
})();
