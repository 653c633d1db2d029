"""The computation as a story: forward value by value, then backward contribution by contribution.

The steps are data, and their arithmetic is done here, so that a page only has to show them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from ._drawing import Drawing, DrawnEdge, DrawnNode, Quantity
from ._labels import GRADIENT, figure, show
from ._readable import formula, in_words
from ._sums import Numbers, add, bare, brief, factor, rest, scalar, write, zeros

__all__ = ["Moment", "loss_name", "story"]


class Moment(NamedTuple):
    """One step of the story.

    Attributes:
        phase: "forward" (a value appears), "start" (an output's gradient is given), "backward"
            (a gradient flows along an edge).
        node: the name of the node that gets a value or a part of its gradient.
        edge: the edge along which the gradient flows, or None.
        sentence: what happens, in words.
        arithmetic: with numbers for scalars, with shapes and norms for arrays.
        total: the sum of the parts so far, in numbers; "" in the forward phase.
        rule: the local derivative as a formula or in words; "" where there is none.
        before, after: the entries of the sum without and with this part; None where the entries
            are not known.
        part, parts: this is the `part`-th of `parts` that the gradient is the sum of; the
            gradient is complete where they are equal. Both are 0 in the forward phase.
    """

    phase: str
    node: str
    edge: DrawnEdge | None
    sentence: str
    arithmetic: str
    total: str = ""
    rule: str = ""
    before: Numbers | None = None
    after: Numbers | None = None
    part: int = 0
    parts: int = 0


class _Part(NamedTuple):
    """What is added to a gradient: along an edge, or given from outside (then edge is None)."""

    node: DrawnNode
    edge: DrawnEdge | None
    amount: Quantity | None  # None where it is not known


class _Teller(NamedTuple):
    """What the sentences are made from."""

    nodes: dict[str, DrawnNode]
    incoming: dict[str, list[DrawnEdge]]
    loss: str
    outputs: int


def story(drawing: Drawing) -> tuple[Moment, ...]:
    """The steps of a computation and of its gradient, in order.

    Args:
        drawing: the graph.

    Returns:
        one moment per node in the order of execution; then one per output that has a gradient;
        then, for the nodes in reverse order, one per operand to which a gradient flows.

    >>> two = Quantity((), "float32", (2.0,), 2.0, 2.0, 2.0, 2.0, 0.0, 0)
    >>> one = Quantity((), "float32", (1.0,), 1.0, 1.0, 1.0, 1.0, 0.0, 0)
    >>> x = DrawnNode("x", "input", None, {}, "", None, None, True, False, two, one)
    >>> y = DrawnNode("y", "step", "neg", {}, "-1", None, None, True, True, two, one)
    >>> steps = story(Drawing("f", (x, y), (DrawnEdge("x", "y", 0, two, two),)))
    >>> [step.phase for step in steps]
    ['forward', 'forward', 'start', 'backward']
    >>> steps[-1].arithmetic
    '∂L/∂x += ∂L/∂y · ∂y/∂x = 1 · 2 = 2'
    """
    incoming: dict[str, list[DrawnEdge]] = {node.name: [] for node in drawing.nodes}
    for edge in drawing.edges:
        incoming[edge.target].append(edge)
    nodes = {node.name: node for node in drawing.nodes}
    outputs = sum(node.output for node in drawing.nodes)
    teller = _Teller(nodes, incoming, loss_name(drawing), outputs)
    forward = (_compute(teller, node) for node in drawing.nodes)
    return (*forward, *_backward(teller, drawing))


def loss_name(drawing: Drawing) -> str:
    """What the differentiated number is called: L, unless a node that is not it has that name."""
    names = {node.name for node in drawing.nodes if not node.output}
    return next(name for name in ("L", "Loss", "Out", "") if name not in names)


# --- forward --------------------------------------------------------------------------------------

_INFIX = {"add": "+", "add_any": "+", "sub": "-", "mul": "·", "div": "/", "pow": "^"}


def _compute(teller: _Teller, node: DrawnNode) -> Moment:
    return Moment("forward", node.name, None, _announce(teller, node), _evaluate(teller, node))


def _announce(teller: _Teller, node: DrawnNode) -> str:
    if node.op is None:
        return f"{node.name} is {'an input' if node.kind == 'input' else 'a constant'}."
    sources = dict.fromkeys(edge.source for edge in teller.incoming[node.name])
    means = f"the program {node.op}" if node.kind == "body" else node.op
    return f"Compute {node.name} by {means}{_enumerate(list(sources))}."


def _enumerate(names: list[str]) -> str:
    if not names:
        return ""
    return " from " + " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _evaluate(teller: _Teller, node: DrawnNode) -> str:
    """The node's name, its expression in names, the same in numbers, and its value."""
    lines = [node.name]
    if node.op is not None:
        names = _operands(teller, node)
        numbers = names | {
            edge.operand: factor(figure(number))
            for edge in teller.incoming[node.name]
            if (number := scalar(teller.nodes[edge.source].value)) is not None
        }
        lines.append(_express(node, names))
        if not node.value.shape and node.kind == "step":
            lines.append(_express(node, numbers))
    text = show(node.value) if not node.value.shape else brief(node.value)
    return " = ".join(dict.fromkeys([*lines, text]))


def _operands(teller: _Teller, node: DrawnNode) -> dict[int, str]:
    """What stands for each operand: a node's name, or a constant."""
    found = {
        int(key.removeprefix("operand ")): factor(text)
        for key, text in node.params.items()
        if key.startswith("operand ")
    }
    return found | {edge.operand: edge.source for edge in teller.incoming[node.name]}


def _express(node: DrawnNode, operands: dict[int, str]) -> str:
    texts = [operands.get(i, "…") for i in range(max(operands, default=-1) + 1)]
    sign = _INFIX.get(node.op or "")
    if sign and len(texts) == 1:  # the second operand is not a node and has no text
        texts.append("…")
    if sign and len(texts) == 2:
        return f"{texts[0]} {sign} {texts[1]}"
    if node.op == "neg":
        return f"-{texts[0]}"
    if node.op in ("integer_pow", "square"):
        return f"{texts[0]}^{factor(node.params.get('y', '2'))}"
    return f"{node.op}({', '.join(bare(text) for text in texts)})"


# --- backward -------------------------------------------------------------------------------------


def _backward(teller: _Teller, drawing: Drawing) -> Iterator[Moment]:
    parts = [*_given(drawing), *_flowing(teller, drawing)]
    counts = Counter(part.node.name for part in parts)
    met: Counter[str] = Counter()
    sums: dict[str, Numbers | None] = {}
    for part in parts:
        name = part.node.name
        met[name] += 1
        before = sums[name] if name in sums else zeros(part.node.gradient)
        sums[name] = after = add(before, part.amount)
        told = _start(teller, part) if part.edge is None else _flow(teller, part.edge)
        yield told._replace(
            total=_total(teller, part, before, after, met[name], counts[name]),
            before=before, after=after, part=met[name], parts=counts[name],
        )  # fmt: skip


def _given(drawing: Drawing) -> Iterator[_Part]:
    """What the outputs' gradients have that does not flow to them along edges."""
    flows: dict[str, list[Quantity]] = {}
    for edge in drawing.edges:
        if edge.flow is not None:
            flows.setdefault(edge.source, []).append(edge.flow)
    for node in reversed(drawing.nodes):
        if node.output and node.gradient is not None:
            arriving = flows.get(node.name)
            amount = node.gradient if arriving is None else rest(node.gradient, arriving)
            yield _Part(node, None, amount)


def _flowing(teller: _Teller, drawing: Drawing) -> Iterator[_Part]:
    for node in reversed(drawing.nodes):
        for edge in teller.incoming[node.name]:
            if edge.flow is not None:
                yield _Part(teller.nodes[edge.source], edge, edge.flow)


def _start(teller: _Teller, part: _Part) -> Moment:
    node, loss = part.node, teller.loss
    amount = None if part.amount is None else scalar(part.amount)
    is_loss = teller.outputs == 1 and amount == 1.0
    sentence = (
        f"The way back starts at the output {node.name}, which is {loss}."
        if is_loss and node.name != loss
        else f"The way back starts at {node.name}, with a gradient that is given."
    )
    text = "given" if part.amount is None else brief(part.amount)
    return Moment("start", node.name, None, sentence, f"{_by(loss, node.name)} = {text}")


def _flow(teller: _Teller, edge: DrawnEdge) -> Moment:
    target, loss = teller.nodes[edge.target], teller.loss
    assert edge.flow is not None
    sign = "·" if not target.value.shape else "⊙"
    upper, local = _by(loss, edge.target), _by(edge.target, edge.source)
    known = "unknown" if target.gradient is None else brief(target.gradient)
    if edge.partial is None:
        words = f", pulled back through {target.op},"
        product, numbers = f"pullback of {target.op} ({upper})", known
    else:
        words = f" times the partial derivative {local}"
        product = f"{upper} {sign} {local}"
        numbers = f"{known} {sign} {factor(brief(edge.partial))}"
    arrow = "=" if edge.partial is not None and not target.value.shape else "→"
    sentence = (
        f"Back from {edge.target} to {edge.source}: {upper}{words} is added to "
        f"{_by(loss, edge.source)}."
    )
    sums = f"{_by(loss, edge.source)} += {product} = {numbers} {arrow} {brief(edge.flow)}"
    return Moment("backward", edge.source, edge, sentence, sums, rule=_rule(teller, edge))


def _rule(teller: _Teller, edge: DrawnEdge) -> str:
    target, upper = teller.nodes[edge.target], _by(teller.loss, edge.target)
    words = in_words(target.op)
    if target.kind == "body" and not words:
        words = f"the gradient goes through the steps inside {target.op} in reverse order"
    if words or not target.rule:
        return words or f"the rule of {target.op}"
    text = formula(target, edge.operand, _operands(teller, target), upper)
    if text.startswith(("lambda", "_")) or target.rule.startswith("lambda ct"):
        return f"the rule of {target.op}: {text}"
    return f"{_by(edge.target, edge.source)} = {text}"


def _total(
    teller: _Teller, part: _Part, before: Numbers | None, after: Numbers | None, k: int, n: int
) -> str:
    node, name = part.node, _by(teller.loss, part.node.name)
    last = k == n
    if last and node.gradient is not None:
        result = brief(node.gradient)
    elif after is not None:
        result = write(after, node.value)
    else:
        result = brief(part.amount) if k == 1 and part.amount is not None else "not yet known"
    adding = ""
    if k > 1 and before is not None and part.amount is not None and not node.value.shape:
        adding = f"{write(before, node.value)} + {factor(brief(part.amount))} = "
    state = "complete" if last else f"{k} of {n} parts"
    return f"{name} = {adding}{result} ({state})"


def _by(upper: str, lower: str) -> str:
    return f"{GRADIENT}{upper}/{GRADIENT}{lower}"
