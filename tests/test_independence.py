"""The engine never calls JAX's differentiation: its source is read, and it is run without."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.interpreters import ad

import funcgrad
from tests.comparing import assert_same

pytestmark = pytest.mark.usefixtures("strict_jax")

PACKAGE = Path(__file__).parents[1] / "funcgrad"
# What surrounds the engine compares with JAX, measures it, or is a user like any other.
# The listing reads which primitives JAX has rules for, and never a rule.
AROUND = {
    "models",
    "train",
    "bench",
    "verify",
    "search",
    "audit",
    "listing",
    "cli.py",
    "__main__.py",
    "pytest_plugin.py",
}
DIFFERENTIATION = (
    "grad", "value_and_grad", "vjp", "jvp", "linearize", "linear_transpose", "jacfwd", "jacrev",
    "jacobian", "hessian", "vjp3", "fwd_and_bwd",
)  # fmt: skip
FORBIDDEN = [
    r"jax\.(?:_src\.)?interpreters\.ad\b",
    r"jax\._src\.api\b",
    r"jax\._src\.ad_checkpoint\b",
    r"jax\.experimental\.(?:jet|hijax)\b",
    *[rf"jax\.{name}$" for name in DIFFERENTIATION],
]
# Of JAX's modules about differentiation these hold types only.
PRIVATE_HOME = "_jaxcompat.py"


def engine_files() -> list[Path]:
    paths = sorted(PACKAGE.rglob("*.py"))
    return [p for p in paths if p.relative_to(PACKAGE).parts[0] not in AROUND]


def bindings(tree: ast.AST) -> Iterator[tuple[str, str, int]]:
    """Each local name that an import binds, what it stands for in full, and the line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                full = alias.name if alias.asname else alias.name.split(".")[0]
                yield alias.asname or full, full, node.lineno
                yield "", alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}", node.lineno


def mentions(source: str) -> list[tuple[str, int]]:
    """Every full name of another package that a source imports or reaches by attributes."""
    tree = ast.parse(source)
    names = {local: full for local, full, _ in bindings(tree)}
    found = [(full, line) for _, full, line in bindings(tree)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            root, *rest = ast.unparse(node).split(".")
            if root in names:
                found.append((".".join([names[root], *rest]), node.lineno))
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found += [(name, node.lineno) for name in re.findall(r"^jax[\w.]*$", node.value)]
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"getattr", "vars"}:
            found += [(f"{full}.{_text(node)}", node.lineno) for full in _named(node, names)]
    return found


def _text(call: ast.Call) -> str:
    last = call.args[1] if len(call.args) > 1 else None
    return str(last.value) if isinstance(last, ast.Constant) else "*"


def _named(call: ast.Call, names: dict[str, str]) -> list[str]:
    root, *rest = ast.unparse(call.args[0]).split(".")
    return [".".join([names[root], *rest])] if root in names else []


def offences(source: str) -> list[tuple[str, int]]:
    forbidden = re.compile("|".join(FORBIDDEN))
    return [(name, line) for name, line in mentions(source) if forbidden.match(name)]


@pytest.mark.parametrize("path", engine_files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_module_does_not_mention_jax_s_differentiation(path: Path) -> None:
    assert not offences(path.read_text())


@pytest.mark.parametrize("path", engine_files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_one_module_touches_what_jax_keeps_private(path: Path) -> None:
    private = [name for name, _ in mentions(path.read_text()) if name.startswith("jax._src")]
    assert not private or path.name == PRIVATE_HOME


def test_the_walk_sees_the_engine() -> None:
    names = {path.name for path in engine_files()}
    assert names >= {"_trace.py", "_reverse.py", "calls.py", "elementwise.py", PRIVATE_HOME}
    private = [n for n, _ in mentions((PACKAGE / PRIVATE_HOME).read_text()) if "._src." in n]
    assert private


@pytest.mark.parametrize(
    "planted",
    [
        "import jax\njax.grad(f)",
        "import jax\ng = jax.vjp",
        "import jax as j\nj.jvp(f, x, t)",
        "from jax import linearize",
        "from jax import hessian as h",
        "from jax.interpreters import ad",
        "import jax.interpreters.ad",
        "import jax\njax.interpreters.ad.primitive_jvps",
        "from jax.interpreters import ad as other\nother.backward_pass",
        "from jax._src.interpreters.ad import backward_pass",
        "from jax._src.interpreters import ad",
        "from jax._src import api\napi.vjp",
        "import jax\ngetattr(jax, 'jacrev')(f)",
        "import_module('jax.interpreters.ad')",
        "def f():\n    import jax\n    return jax.linear_transpose",
    ],
)
def test_a_planted_call_is_found(planted: str) -> None:
    assert offences(planted)


@pytest.mark.parametrize(
    "allowed",
    [
        "import jax\njax.jit(f)\njax.vmap(f)\njax.make_jaxpr(f)",
        "from ._transform import grad, vjp\ngrad(f)",
        "from jax.interpreters import partial_eval",
        "gradient = lambda x: x.grad",
    ],
)
def test_what_is_allowed_is_not_reported(allowed: str) -> None:
    assert not offences(allowed)


# --- running without it ---------------------------------------------------------------------------


class CalledError(Exception):
    """JAX's differentiation was called."""


def refuse(*_: Any, **__: Any) -> Any:
    raise CalledError


@pytest.fixture
def without_jax_s_differentiation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its functions raise, and its tables of rules are empty."""
    for name in DIFFERENTIATION:
        if hasattr(jax, name):
            monkeypatch.setattr(jax, name, refuse)
    # The functions that all of the above go through; custom rules of users need none of them.
    for name in ("jvp", "vjp", "linearize", "backward_pass", "backward_pass3", "linearize_jaxpr",
                 "jvp_jaxpr", "jvp_subtrace", "linearize_subtrace"):  # fmt: skip
        for module in {ad, jax._src.interpreters.ad}:
            if hasattr(module, name):
                monkeypatch.setattr(module, name, refuse)
    for table in tables():
        for primitive in list(table):
            monkeypatch.delitem(table, primitive)


def tables() -> list[dict[Any, Any]]:
    internal = vars(jax._src.interpreters.ad)
    return [
        table
        for name, table in internal.items()
        if isinstance(table, dict) and table and re.search(r"jvps|transposes|lin", name)
    ]


def rich(seed: float) -> Callable[[Any], Any]:
    """A new function each time, so that nothing about it is cached, with a bit of everything."""

    @jax.custom_jvp
    def by_tangent(x: Any) -> Any:
        return x**3

    by_tangent.defjvp(lambda p, t: (p[0] ** 3, 3 * p[0] ** 2 * t[0]))

    @jax.custom_vjp
    def by_cotangent(x: Any) -> Any:
        return jnp.sin(x)

    by_cotangent.defvjp(lambda x: (jnp.sin(x), x), lambda x, ct: (ct * jnp.cos(x),))

    @jax.jit
    def body(x: Any, w: Any) -> Any:
        return jax.nn.silu(by_cotangent(w @ x)) + by_tangent(x)

    def fun(params: Any) -> Any:
        x = body(params["x"], params["w"])
        for _ in range(2):
            x = jnp.where(x > 0, jnp.tanh(x), seed * x)
        many = jax.vmap(lambda row: jnp.max(row) * jax.nn.logsumexp(row))(params["w"])
        picked = params["w"][jnp.array([0, 2, 0])] / (1 + lax.stop_gradient(x[:, None]) ** 2)
        return jnp.sum(x * many) + jnp.sum(picked) + jnp.linalg.norm(params["x"])

    return fun


PARAMS = {
    "x": jnp.asarray([0.3, -0.7, 1.2], jnp.float32),
    "w": jnp.asarray([[0.5, -0.2, 0.1], [0.3, 0.8, -0.4], [-0.6, 0.7, 0.2]], jnp.float32),
}


def test_a_gradient_needs_nothing_of_it(request: pytest.FixtureRequest) -> None:
    expected = jax.grad(rich(0.25))(PARAMS)
    product = jax.jit(lambda p: jax.jvp(jax.grad(rich(0.25)), (p,), (p,))[1])(PARAMS)
    request.getfixturevalue("without_jax_s_differentiation")
    assert_same(funcgrad.grad(rich(0.25))(PARAMS), expected)
    assert_same(jax.jit(funcgrad.grad(rich(0.25)))(PARAMS), expected)
    ours = jax.jit(lambda p: funcgrad.hvp(rich(0.25), (p,), (p,)))(PARAMS)
    assert_same(ours, product, factor=16)
    run = funcgrad.descend(rich(0.25), PARAMS, 0.01, 3)
    assert np.isfinite(run.losses).all()


KEPT_GRAD: Any = jax.grad
KEPT_VJP: Any = jax.vjp
KEPT_JVP: Any = jax.jvp
USES: dict[str, Callable[[Callable[[Any], Any]], Any]] = {
    "grad": lambda f: jax.grad(f)(PARAMS),
    "a grad kept from before": lambda f: KEPT_GRAD(f)(PARAMS),
    "a vjp kept from before": lambda f: KEPT_VJP(f, PARAMS)[1](jnp.float32(1)),
    "a jvp kept from before": lambda _: KEPT_JVP(lambda x: jnp.sin(x) * x, (1.5,), (1.0,)),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_use_of_it_would_be_found(use: Any, request: pytest.FixtureRequest) -> None:
    assert jax.tree.leaves(use(rich(0.5)))
    request.getfixturevalue("without_jax_s_differentiation")
    with pytest.raises((CalledError, NotImplementedError)):
        use(rich(0.5))


def test_the_empty_tables_alone_stop_jax(monkeypatch: pytest.MonkeyPatch) -> None:
    for table in tables():
        for primitive in list(table):
            monkeypatch.delitem(table, primitive)
    with pytest.raises(NotImplementedError):
        jax.grad(lambda x: jnp.sin(x) * x)(1.0)
    assert float(funcgrad.grad(lambda x: x * x)(3.0)) == 6
