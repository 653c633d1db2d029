// Steps through the story of a graph. Each step changes only the elements that it is about.
(() => {
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);
  const { make, list, whole, lines } = elements;
  const views = new Map(); // by number of the picture; a body that was left keeps its step
  let pictures = [];
  let trail = []; // numbers of the pictures from the outermost to the one that is shown
  let view = null;
  let timer = null;

  // --- a picture and its elements ---
  function prepare(number) {
    const data = pictures[number];
    const template = document.querySelectorAll("template")[number - 1];
    const svg = number === 0 ? byId("view").querySelector("svg")
      : document.importNode(template.content, true).querySelector("svg");
    const find = (name) => new Map([...svg.querySelectorAll(`[data-${name}]`)]
      .map((element) => [element.dataset[name], element]));
    const nodes = find("node");
    const edges = find("edge");
    svg.classList.add("stepping");
    svg.setAttribute("role", "group");
    svg.querySelectorAll("g > title").forEach((title) => title.remove()); // the page has its own
    const made = {
      number, data, svg, position: 0, zoom: 0, marked: [],
      width: Number(svg.getAttribute("width")), height: Number(svg.getAttribute("height")),
      nodes: data.nodes.map((node) => nodes.get(node.name)),
      edges: data.edges.map((edge) => edges.get(edge.key)),
      written: new Map(), // the gradients' texts of nodes that show a part of their sum
    };
    data.nodes.forEach((node, i) => { if (node.inner !== null) offer(made.nodes[i], node); });
    return made;
  }

  function offer(element, node) {
    element.setAttribute("tabindex", "0");
    element.setAttribute("role", "button");
    element.setAttribute("aria-label", `Open ${node.name}`);
  }

  function writeGradient(shown, i, text) {
    const lines = [...shown.nodes[i].querySelectorAll(".gradient")];
    if (!shown.written.has(i)) shown.written.set(i, lines.map((line) => line.textContent));
    const whole = shown.written.get(i);
    lines.forEach((line, k) => { line.textContent = text === null ? whole[k] : k ? "" : text; });
  }

  // --- steps ---
  function apply(shown, moment, on) {
    const element = shown.nodes[moment.node];
    if (moment.phase === "forward") {
      element.classList.toggle("known", on);
      for (const i of shown.data.nodes[moment.node].edges) {
        shown.edges[i].classList.toggle("known", on);
      }
      return;
    }
    if (moment.edge !== null) shown.edges[moment.edge].classList.toggle("flowed", on);
    const text = on ? moment.now : moment.was; // "" for nothing yet, null for the whole gradient
    element.classList.toggle("done", text === null);
    element.classList.toggle("partly", Boolean(text));
    if (text || shown.written.has(moment.node)) writeGradient(shown, moment.node, text || null);
  }

  const end = () => view.data.moments.length;

  function go(position) {
    const moments = view.data.moments;
    const wanted = Math.max(0, Math.min(end(), position));
    while (view.position < wanted) apply(view, moments[view.position++], true);
    while (view.position > wanted) apply(view, moments[--view.position], false);
    view.svg.classList.toggle("ended", wanted === end());
    mark(moments[wanted - 1]);
    tell(moments[wanted - 1]);
  }

  function mark(moment) {
    for (const [element, name] of view.marked) element.classList.remove(name);
    view.marked = moment ? [[view.nodes[moment.node], "now"]] : [];
    if (moment && moment.edge !== null) {
      view.marked.push([view.edges[moment.edge], "now"]);
      view.marked.push([view.nodes[view.data.edges[moment.edge].target], "from"]);
    }
    for (const [element, name] of view.marked) element.classList.add(name);
    if (moment) frame.reveal(view.nodes[moment.node]);
  }

  const PHASES = { forward: "forward →", start: "← backward", backward: "← backward" };

  function tell(moment) {
    const phase = moment ? moment.phase : "";
    root.classList.toggle("backward-phase", phase === "start" || phase === "backward");
    byId("phase").className = `phase ${phase === "start" ? "backward" : phase}`;
    byId("phase").textContent = PHASES[phase] || "ready";
    byId("count").textContent = `step ${view.position} of ${end()}`;
    byId("sentence").textContent = moment ? whole(moment.sentence)
      : "Step forward: first the values appear, node by node; then the gradient flows back.";
    byId("total").textContent = moment ? whole(moment.total) : "";
    byId("rule").textContent = moment ? whole(moment.rule) : "";
    byId("arithmetic").replaceChildren(...(moment ? lines(moment.arithmetic) : []));
    const node = moment ? view.data.nodes[moment.node] : null;
    tellCode(moment && moment.edge !== null
      ? view.data.nodes[view.data.edges[moment.edge].target] : node);
    explain(node);
    control(end());
  }

  function tellCode(node) {
    const source = node && node.source;
    byId("code").textContent = (source && node.code) || "";
    byId("code").dataset.source = source || "";
  }

  function control(last) {
    const at = view.position;
    byId("slider").max = last;
    byId("slider").value = at;
    byId("slider").setAttribute("aria-valuetext", `step ${at} of ${last}`);
    for (const id of ["first", "back"]) byId(id).disabled = at === 0;
    for (const id of ["forward", "last"]) byId(id).disabled = at === last;
    if (at === last) stop();
  }

  // --- playing ---
  function stop() {
    clearInterval(timer);
    timer = null;
    byId("play").textContent = "Play";
  }

  function play() {
    if (timer !== null) { stop(); return; }
    if (view.position === end()) go(0);
    timer = setInterval(() => go(view.position + 1), 1200);
    byId("play").textContent = "Pause";
    go(view.position + 1);
  }

  // --- details ---
  function explain(node) {
    byId("about").hidden = !node;
    byId("open").hidden = !node || node.inner === null;
    if (!node) return;
    byId("who").textContent = node.name;
    byId("facts").replaceChildren(...list(node.facts));
    byId("open").textContent = `▸ Open ${node.name}`;
    byId("open").onclick = () => open(node.inner);
  }

  function hit(event) { // the node or edge under the pointer, as data
    const element = event.target.closest && event.target.closest("[data-node], [data-edge]");
    if (!element || !view.svg.contains(element)) return null;
    const i = view.nodes.indexOf(element);
    if (i >= 0) return { node: view.data.nodes[i], title: view.data.nodes[i].name, i };
    const edge = view.data.edges[view.edges.indexOf(element)];
    return { node: null, title: edge.key.replace(/:\d+$/, ""), facts: edge.facts };
  }

  function hover(event) {
    const found = event.pointerType === "touch" ? null : hit(event);
    const tip = byId("tip");
    tip.hidden = !found;
    if (!found) return;
    const facts = document.createElement("dl");
    facts.append(...list(found.node ? found.node.facts : found.facts));
    tip.replaceChildren(make("b", found.title), facts);
    frame.place(tip, event);
  }

  function choose(event) {
    const found = frame.wasDragged() ? null : hit(event);
    if (!found || !found.node) return;
    if (found.node.inner !== null) { open(found.node.inner); return; }
    explain(found.node);
    byId("about").open = true;
  }

  // --- bodies ---
  function show(numbers) {
    stop();
    byId("tip").hidden = true;
    trail = numbers;
    const number = numbers[numbers.length - 1];
    if (!views.has(number)) views.set(number, prepare(number));
    view = views.get(number);
    byId("view").replaceChildren(view.svg);
    byId("path").replaceChildren(...trail.flatMap(crumb));
    if (view.zoom) frame.zoom(view, view.zoom); else frame.fit(view);
    search();
    go(view.position);
  }

  function crumb(number, depth) {
    const title = pictures[number].title || "graph";
    if (depth === trail.length - 1) {
      const here = make("b", title);
      here.setAttribute("aria-current", "page");
      return depth ? [make("span", "›"), here] : [here];
    }
    const back = make("button", title);
    back.type = "button";
    back.setAttribute("aria-label", `Back to ${title}`);
    back.onclick = () => leave(depth + 1);
    return depth ? [make("span", "›"), back] : [back];
  }

  function open(number) { show([...trail, number]); byId("view").focus(); }
  function leave(depth) { show(trail.slice(0, Math.max(1, depth))); byId("view").focus(); }

  // --- search ---
  let found = [];
  let chosen = 0;

  function search() {
    const text = byId("search").value.trim().toLowerCase();
    found = [];
    view.data.nodes.forEach((node, i) => {
      const matches = text !== "" && node.find.includes(text);
      view.nodes[i].classList.toggle("match", matches);
      if (matches) found.push(i);
    });
    chosen = 0;
    look();
  }

  function look() {
    const asked = byId("search").value.trim() !== "";
    byId("found").textContent = !asked ? "" : found.length ? `${chosen + 1} of ${found.length}` : "none";
    if (!found.length) return;
    frame.reveal(view.nodes[found[chosen]]);
    explain(view.data.nodes[found[chosen]]);
  }

  function searchKey(event) {
    if (event.key === "Escape") { byId("search").value = ""; search(); byId("view").focus(); }
    if (event.key !== "Enter" || !found.length) return;
    chosen = (chosen + (event.shiftKey ? found.length - 1 : 1)) % found.length;
    look();
  }

  // --- keys and buttons ---
  const ACTIONS = {
    first: () => go(0), back: () => go(view.position - 1), forward: () => go(view.position + 1),
    last: () => go(end()), play, theme: frame.turn,
    smaller: () => magnify(1 / 1.25), larger: () => magnify(1.25), fit: () => frame.fit(view),
  };

  function magnify(by) {
    frame.zoom(view, view.zoom * by);
    const moment = view.data.moments[view.position - 1];
    if (moment) frame.reveal(view.nodes[moment.node]);
  }

  const KEYS = {
    ArrowLeft: "back", ArrowRight: "forward", Home: "first", End: "last", " ": "play",
    "-": "smaller", "+": "larger", "=": "larger", 0: "fit", d: "theme",
  };

  function press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.id === "search") return;
    const tag = event.target.tagName;
    if (event.target.id === "slider" && event.key.startsWith("Arrow")) return; // it steps itself
    if ((event.key === " " || event.key === "Enter") && /^(button|summary)$/i.test(tag)) return;
    if (event.key === "Escape" && trail.length > 1) leave(trail.length - 1);
    else if (event.key === "/") byId("search").focus();
    else if (event.key === "Enter") enter(event);
    else if (event.key in KEYS) ACTIONS[KEYS[event.key]]();
    else return;
    event.preventDefault();
  }

  function enter(event) {
    const focused = view.nodes.indexOf(event.target);
    const moment = view.data.moments[view.position - 1];
    const node = view.data.nodes[focused >= 0 ? focused : moment ? moment.node : 0];
    if (node && node.inner !== null) open(node.inner);
  }

  function start() {
    pictures = JSON.parse(byId("data").textContent);
    for (const [id, action] of Object.entries(ACTIONS)) {
      byId(id).addEventListener("click", () => { if (id !== "play" && id !== "theme") stop(); action(); });
    }
    byId("slider").addEventListener("input", (event) => { stop(); go(Number(event.target.value)); });
    byId("search").addEventListener("input", search);
    byId("search").addEventListener("keydown", searchKey);
    byId("view").addEventListener("pointermove", hover);
    byId("view").addEventListener("pointerleave", () => { byId("tip").hidden = true; });
    byId("view").addEventListener("pointerdown", frame.drag);
    byId("view").addEventListener("click", choose);
    document.addEventListener("keydown", press);
    byId("signs").open = innerWidth > 760;
    show([0]);
  }

  document.addEventListener("DOMContentLoaded", start);
})();
