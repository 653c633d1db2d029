"""The notebooks: the .py and the .ipynb agree, they run, and what they show is what is committed.

After an edit: `python notebooks/pair.py`, and commit both files of the pair.
"""

from __future__ import annotations

import importlib.util
import math
import re
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("jupytext", reason='pip install "funcgrad[notebooks]"')
pytest.importorskip("nbclient", reason='pip install "funcgrad[notebooks]"')
pytest.importorskip("ipykernel", reason='pip install "funcgrad[notebooks]"')
pytest.importorskip("flax", reason='pip install "funcgrad[notebooks]"')
pytest.importorskip("matplotlib", reason='pip install "funcgrad[notebooks]"')

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
SOURCES = sorted(FOLDER.glob("[0-9]*.py"))
NAMES = [path.stem for path in SOURCES]

# The course, topic by topic: the notebook, and words that its text or its code must contain.
COURSE = {
    "learning is optimisation": ("01", ["target function", "loss", "optimiser", "gd_step"]),
    "vanilla gradient descent": ("01", ["w^{(t+1)}", "descend(h, w0", "keep_path=True", "plot("]),
    "steepest ascent, step size": ("01", [r"\sin(x^2 + y^2)", "quiver", "too small", "too large"]),
    "computation graph, forward": ("02", ["graph(f, 1.0, 1.0, 1.0)", "0.838744947187734"]),
    "backward": ("02", ["edge.partial", "start at the top", "reversed(graph.nodes)"]),
    "sum over paths": ("02", ['paths("x")', "sum over paths"]),
    "a node stores": ("03", ["node.op", "node.gradient", "grad_fn", "dir(v)", "leaves"]),
    "define by run": ("02", ["class ", "while x", "if x", "jax.jit"]),
    "define by run, in Flax": ("04", ["graph(flax_loss", "layer.open()", "flax_linen"]),
    "requires_grad": ("03", ["contagious", "partition", "merge", "node.requires_grad"]),
    "detach": ("03", ["funcgrad.detach", "half_detached"]),
    "accumulation": ("03", ["zero_grad", "tree_sum", "accumulate_gradients", "temp_size_in_bytes"]),
    "layers": ("04", ["sequential", "models.linear", "models.relu", "models.tanh"]),
    "losses": ("04", ["mean_squared_error", "softmax_cross_entropy"]),
    "update rules": ("01", ["optax.adam", "momentum", "funcgrad.gradient_descent"]),
    "SimpleGraph": ("04", ["simple_graph_gradients_by_hand", "jax.grad", "numerical", "-14"]),
    "WideNet": ("04", ["1537", "0.5627539", "0.0672953", "0.8889423", "0.2437320", "rtol=1e-5"]),
    "a NaN's origin": ("05", ["funcgrad.diagnose", "strong_zeros", "double where", "scan"]),
    "cookbook": ("06", ["zero_grad", "detach", "requires_grad", "retain_graph", "no_grad",
                        "nn.Module", "DataLoader", "optimizer.step", "set_detect_anomaly"]),
}  # fmt: skip

NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?(?![\w.]*\w)")


@cache
def pair() -> ModuleType:
    """The tool `notebooks/pair.py`, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("notebook_pair", FOLDER / "pair.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def committed(path: Path) -> Any:
    return pair().nbformat.read(path.with_suffix(".ipynb"), as_version=4)


def cells(notebook: Any) -> list[tuple[str, str]]:
    return [(cell["cell_type"], cell["source"]) for cell in notebook["cells"]]


def texts(notebook: Any) -> list[str]:
    """For each code cell what it printed and showed; of pictures only the kind."""
    return [
        "\n".join(filter(None, map(shown, cell["outputs"])))
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]


def shown(output: Any) -> str:
    if output["output_type"] == "stream":
        return "" if harmless(output) else f"[{output['name']}] {output['text'].strip()}"
    data = output["data"]
    return f"{sorted(data)} {data.get('text/plain', '')}"


def harmless(output: Any) -> bool:
    """Matplotlib reports where it has no cache of fonts yet; that is no output of the notebook."""
    return output["name"] == "stderr" and "Matplotlib" in output["text"]


def differences(expected: str, received: str, rtol: float = 1e-3) -> list[str]:
    """Where two texts differ in more than spaces, cell numbers and the last digits of numbers."""
    words = [" ".join(NUMBER.sub("#", plain(text)).split()) for text in (expected, received)]
    found = [] if words[0] == words[1] else [f"{words[0]!r} became {words[1]!r}"]
    pairs = zip(NUMBER.findall(plain(expected)), NUMBER.findall(plain(received)), strict=False)
    return found + [
        f"{old} became {new}"
        for old, new in pairs
        if not math.isclose(float(old), float(new), rel_tol=rtol, abs_tol=1e-6)
    ]


def plain(text: str) -> str:
    """Jupyter names a cell's file by a number of its own making."""
    return re.sub(r"\b\d+\.py\b", "cell.py", text)


def test_there_are_six_pairs() -> None:
    assert [name[:2] for name in NAMES] == ["01", "02", "03", "04", "05", "06"]
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == NAMES


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_both_files_hold_the_same_cells(path: Path) -> None:
    jupytext = pair().jupytext
    notebook = committed(path)
    assert cells(pair().read_source(path)) == cells(notebook)
    again = jupytext.reads(jupytext.writes(notebook, fmt="py:percent"), fmt="py:percent")
    assert cells(again) == cells(notebook)


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_a_fresh_run_shows_what_is_committed(path: Path) -> None:
    old, new = texts(committed(path)), texts(pair().execute(path))
    changed = [
        difference for pair_ in zip(old, new, strict=True) for difference in differences(*pair_)
    ]
    assert not changed, f"run `python notebooks/pair.py {path.stem[:2]}`: {changed}"


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_the_committed_notebook_is_clean(path: Path) -> None:
    notebook, raw = committed(path), path.with_suffix(".ipynb").read_text(encoding="utf-8")
    assert dict(notebook["metadata"]) == pair().METADATA
    assert all(not cell["metadata"] for cell in notebook["cells"])
    assert len(raw) < 300_000
    shown_text = "\n".join(texts(notebook))
    assert "[stderr]" not in shown_text
    assert not machine_traces(shown_text)


def machine_traces(text: str) -> list[str]:
    """Absolute paths, addresses of objects, and the folders of kernels."""
    return re.findall(r"(?:^|[\s'\"(<])(?:/\w+/\S*|[A-Z]:\\\S*)|0x[0-9a-f]{6,}|ipykernel", text)


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_every_code_cell_has_run_in_order(path: Path) -> None:
    code = [cell for cell in committed(path)["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert any(
        output["output_type"] != "stream" for cell in code for output in cell["outputs"]
    ) or (
        path.stem.startswith("06")  # the cookbook has no pictures
    )


@pytest.mark.parametrize("topic", COURSE)
def test_the_course_is_covered(topic: str) -> None:
    number, words = COURSE[topic]
    (path,) = (path for path in SOURCES if path.name.startswith(number))
    text = " ".join(path.read_text(encoding="utf-8").replace("\n# ", " ").split())
    missing = [word for word in words if word.lower() not in text.lower()]
    assert not missing, f"{path.name} does not treat {topic!r}: {missing}"


# --- the checks above notice what they are for ----------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "received", "same"),
    [
        ("loss 0.6667", "loss 0.6668", True),
        ("loss 0.6667", "loss 0.6767", False),
        ("a 1 b", "a  1\nb", True),
        ("a 1 b", "a 1 c", False),
        ("a 1", "a 1 2", False),
        ("(123456.py:3)", "(99999.py:3)", True),
        ("(123456.py:3)", "(123456.py:4)", False),
        ("gradient nan", "gradient 0.0", False),
    ],
)
def test_differences(expected: str, received: str, same: bool) -> None:
    assert (not differences(expected, received)) is same


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("File /home/me/x.py", False),
        ('"/tmp/ipykernel_12/3.py"', False),
        ("<object at 0x7f00aa11bb22>", False),
        (r"C:\Users\me", False),
        ("3 / 4 and dL/dw, actual / promised", True),
    ],
)
def test_machine_traces(text: str, clean: bool) -> None:
    assert (not machine_traces(text)) is clean


def test_a_cell_that_fails_fails_the_notebook(tmp_path: Path) -> None:
    from nbclient.exceptions import CellExecutionError

    broken = tmp_path / "07_broken.py"
    broken.write_text("# %%\nassert 1 == 2, 'planted'\n", encoding="utf-8")
    with pytest.raises(CellExecutionError, match="planted"):
        pair().execute(broken)
