"""Every script of the folder examples/, run as a reader runs it; a new one is picked up by itself.

What is printed is compared with numbers that do not come from the package: formulas, descents
written out in NumPy, and the losses that PyTorch prints.
"""

from __future__ import annotations

import ast
import os
import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples"
SCRIPTS = sorted(path for path in FOLDER.glob("*.py") if not path.name.startswith("_"))
NUMBER = r"[-+]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?"

every_script = pytest.mark.parametrize("name", [script.stem for script in SCRIPTS])


class Finished(NamedTuple):
    """A script that has come to its end."""

    code: int
    printed: str
    complaints: str
    out: Path
    left_behind: list[str]  # what it wrote into the folder where it was started


def run(script: Path, *arguments: str | Path, cwd: Path, path: Path | None = None) -> Finished:
    """Run a script on the CPU with warnings as errors; `path` is searched before all packages."""
    inherited = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("JAX", "XLA", "PYTHON"))
    }
    search = os.pathsep.join(str(folder) for folder in (path, ROOT) if folder)
    done = subprocess.run(
        [sys.executable, "-W", "error", script, *arguments],
        cwd=cwd,
        env=inherited | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": search},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Finished(
        done.returncode, done.stdout, done.stderr, cwd, sorted(left.name for left in cwd.iterdir())
    )


@pytest.fixture(scope="module")
def font_cache() -> None:
    """Matplotlib announces on stderr that it builds its font cache, once for each machine."""
    pytest.importorskip("matplotlib")
    subprocess.run(
        [sys.executable, "-c", "import matplotlib.font_manager"], capture_output=True, check=True
    )


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory, font_cache: None
) -> Iterator[Callable[[str], Finished]]:
    """Each script's one run: started in a folder that is read-only, writing into a new one."""
    del font_cache
    runs: dict[str, Finished] = {}
    locked = tmp_path_factory.mktemp("locked")
    locked.chmod(0o555)

    def of(name: str) -> Finished:
        if name not in runs:
            out = tmp_path_factory.mktemp(name) / "new" / "folder"
            done = run(FOLDER / f"{name}.py", "--out", out, cwd=locked)
            runs[name] = done._replace(out=out)
        return runs[name]

    yield of
    locked.chmod(0o755)


def numbers(text: str, line: str) -> list[float]:
    """The numbers in the one line of a text that contains `line`, after that place."""
    (found,) = [row for row in text.splitlines() if line in row]
    rest = found[found.index(line) + len(line) :]
    return [float(number.replace(",", "")) for number in re.findall(NUMBER, rest)]


# --- every script ---------------------------------------------------------------------------------


def test_the_examples_of_the_course_are_there() -> None:
    assert {script.stem for script in SCRIPTS} >= {
        "gradient_field", "learning_rates", "simple_graph", "widenet", "flax_nnx",
        "frozen_layers", "gradient_accumulation",
    }  # fmt: skip


@every_script
def test_it_ends_well_and_complains_of_nothing(
    name: str, finished: Callable[[str], Finished]
) -> None:
    done = finished(name)
    assert (done.code, done.complaints) == (0, "")
    assert len(done.printed.splitlines()) >= 3


@every_script
def test_it_writes_nothing_where_it_was_started(
    name: str, finished: Callable[[str], Finished]
) -> None:
    assert finished(name).left_behind == []


@every_script
def test_its_picture_is_the_one_it_names(name: str, finished: Callable[[str], Finished]) -> None:
    done = finished(name)
    announced = re.findall(r"^picture: (.*)$", done.printed, re.MULTILINE)
    assert announced == [str(done.out / f"{name}.png")]
    assert [path.name for path in done.out.iterdir()] == [f"{name}.png"]
    pixels = read_png((done.out / f"{name}.png").read_bytes())
    height, width, _ = pixels.shape
    assert 800 <= width <= 2000
    assert 600 <= height <= 1600
    assert len(np.unique(pixels.reshape(height * width, -1), axis=0)) > 20


@every_script
def test_it_teaches_and_leaves_matplotlib_to_the_helper(name: str) -> None:
    tree = ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    assert len(ast.get_docstring(tree) or "") > 100
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = [
        module
        for node in imports
        for module in ([node.module] if isinstance(node, ast.ImportFrom) else
                       [alias.name for alias in node.names])
    ]  # fmt: skip
    assert "_picture" in modules
    assert not [module for module in modules if str(module).startswith("matplotlib")]


# --- what each one prints -------------------------------------------------------------------------


def test_the_field_is_that_of_the_formula(finished: Callable[[str], Finished]) -> None:
    printed = finished("gradient_field").printed
    for x, y in [(1.0, 0.0), (1.0, 1.0), (1.0, 0.5), (-0.5, 2.0)]:
        gradient = 2 * np.cos(x**2 + y**2) * np.array([x, y])
        found = numbers(printed, f"{x:4.1f} {y:4.1f}   (")
        np.testing.assert_allclose(found, [*gradient, *gradient], atol=1e-4)
    assert numbers(printed, "differ by at most")[0] < 1e-5
    assert numbers(printed, "gradient points towards")[0] == pytest.approx(26.6, abs=0.05)
    assert numbers(printed, "the one towards") == [27]


def descent_of_h(rate: float, steps: int) -> list[float]:
    """The values of h on a descent from (1.1, 0.9), by NumPy in double precision."""
    point, values = np.array([1.1, 0.9]), []
    for _ in range(steps + 1):
        values.append(float(np.sin(point @ point)))
        point = point - rate * 2 * np.cos(point @ point) * point
    return values


@pytest.mark.parametrize(
    ("kind", "rate"), [("too small", 0.003), ("good", 0.04), ("too large", 0.13)]
)
def test_the_descents_are_those_of_numpy(
    kind: str, rate: float, finished: Callable[[str], Finished]
) -> None:
    steepness = (2 * np.cos(2.02)) ** 2 * 2.02
    values = descent_of_h(rate, 20)
    promised, actual = -rate * steepness, values[1] - values[0]
    found = numbers(finished("learning_rates").printed, kind)
    *first, ratio, last = found
    assert [*first, last] == pytest.approx([rate, promised, actual, values[-1]], abs=1e-4)
    assert ratio == pytest.approx(actual / promised, abs=0.006)


def test_the_curvature_bounds_the_learning_rate(finished: Callable[[str], Finished]) -> None:
    found = numbers(finished("learning_rates").printed, "curvature at the minimum")
    assert found == pytest.approx([6 * np.pi, 1 / (3 * np.pi)], abs=0.006)


def test_four_ways_lead_to_the_gradient_of_simple_graph(
    finished: Callable[[str], Finished],
) -> None:
    printed = finished("simple_graph").printed
    assert numbers(printed, "prediction 0.0, loss") == [49]
    for way in ("by hand", "funcgrad.grad", "jax.grad"):
        assert numbers(printed, way) == [-14, -14]
    assert numbers(printed, "numerical") == pytest.approx([-14, -14], abs=2e-3)


def test_simple_graph_is_trained(finished: Callable[[str], Finished]) -> None:
    w, b = -0.5, 0.5
    for _ in range(100):
        slope = -2 * (7 - np.tanh(w + b)) * (1 - np.tanh(w + b) ** 2)
        w, b = w - 0.01 * slope, b - 0.01 * slope
    found = numbers(finished("simple_graph").printed, "after 100 steps:")
    prediction = np.tanh(w + b)
    assert found == pytest.approx([w, b, prediction, (7 - prediction) ** 2, 36], abs=1e-3)


WIDENET = {
    "momentum": {1: 0.5627539, 100: 0.2934741, 1000: 0.0699753, 1847: 0.0672953},
    "vanilla": {1: 0.8889423, 100: 0.3442242, 1000: 0.2886214, 1847: 0.2437320},
}


@pytest.mark.parametrize("rule", WIDENET)
def test_widenet_loses_what_it_loses_in_pytorch(
    rule: str, finished: Callable[[str], Finished]
) -> None:
    printed = finished("widenet").printed
    assert "1,537 parameters, 32 points" in printed
    for step, expected in WIDENET[rule].items():
        loss, reference, apart = numbers(printed, f"{rule:9} {step:6}")
        assert reference == expected
        assert loss == pytest.approx(expected, rel=1e-5)
        assert abs(apart) < 1e-5


def test_the_flax_model_learns_the_spirals(finished: Callable[[str], Finished]) -> None:
    printed = finished("flax_nnx").printed
    assert numbers(printed, "differ by at most")[0] < 1e-6
    first, last = numbers(printed, "loss")
    assert 0.5 < first < 1.2
    assert last < 0.02
    assert float(re.findall(rf"({NUMBER})% of 300 points", printed)[0]) >= 99


def test_frozen_leaves_stay_and_get_no_gradient(finished: Callable[[str], Finished]) -> None:
    printed = finished("frozen_layers").printed
    before, after, _ = numbers(printed, "the new task: loss")
    assert after < before / 20
    for leaf in ("w1", "b1"):
        assert re.search(rf"^{leaf} +0 +none +0\.0000$", printed, re.MULTILINE)
    for leaf in ("w2", "b2"):
        change, by_partition, by_detach = numbers(printed, f"{leaf} ")
        assert change > 0.01
        assert by_partition == by_detach > 0
    of_all, of_last = numbers(printed, "recorded:")
    assert 0 < of_last < of_all


def test_accumulation_saves_memory_and_nothing_else(finished: Callable[[str], Finished]) -> None:
    printed = finished("gradient_accumulation").printed
    assert numbers(printed, "summed by hand: differs by")[0] < 1e-4
    whole, _ = numbers(printed, f"{1:13} ")
    for count in (4, 16):
        memory, apart = numbers(printed, f"{count:13} ")
        assert 0 < memory < 1.2 * whole / count
        assert apart < 1e-4


# --- what can be missing or in the way ------------------------------------------------------------


def without(package: str, folder: Path) -> Path:
    """A folder that, searched first, makes the import of a package fail as if it were missing."""
    missing = f"raise ModuleNotFoundError(\"No module named '{package}'\", name={package!r})\n"
    (folder / f"{package}.py").write_text(missing, encoding="utf-8")
    return folder


def test_without_matplotlib_the_numbers_come_with_a_hint(tmp_path: Path) -> None:
    blocked, cwd = tmp_path / "blocked", tmp_path / "cwd"
    blocked.mkdir()
    cwd.mkdir()
    script = FOLDER / "simple_graph.py"
    done = run(script, cwd=cwd, path=without("matplotlib", blocked))
    assert (done.code, done.complaints, done.left_behind) == (0, "", [])
    assert numbers(done.printed, "funcgrad.grad") == [-14, -14]
    *_, last = done.printed.splitlines()
    assert last.startswith("no picture: matplotlib")
    assert 'pip install "funcgrad[plot]"' in last


def test_without_flax_the_extra_is_named(tmp_path: Path) -> None:
    done = run(FOLDER / "flax_nnx.py", cwd=tmp_path, path=without("flax", tmp_path))
    assert done.code == 1
    assert done.complaints == 'this example needs Flax: pip install "funcgrad[flax]"\n'


@pytest.mark.usefixtures("font_cache")
def test_without_the_option_the_picture_comes_to_where_one_is(tmp_path: Path) -> None:
    done = run(FOLDER / "simple_graph.py", cwd=tmp_path)
    assert (done.code, done.complaints) == (0, "")
    assert done.left_behind == ["simple_graph.png"]


def test_an_impossible_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run(FOLDER / "simple_graph.py", "--out", "file", cwd=tmp_path)
    assert done.code == 2
    assert "--out file is not a folder and cannot be made one" in done.complaints


@pytest.mark.usefixtures("font_cache")
def test_a_picture_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "simple_graph.png").mkdir()
    done = run(FOLDER / "simple_graph.py", cwd=tmp_path)
    assert done.code == 1
    assert re.fullmatch(
        r"cannot write simple_graph\.png: .+; name a folder by --out\n", done.complaints
    )


# --- the checks themselves ------------------------------------------------------------------------


def read_png(data: bytes) -> NDArray[np.uint8]:
    """The pixels, as stored, of a PNG file; an AssertionError unless every part of it is sound."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    parts, place = [], 8
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        body = data[place + 8 : place + 8 + length]
        assert data[place + 8 + length : place + 12 + length] == struct.pack(
            ">I", zlib.crc32(kind + body)
        )
        parts.append((kind, body))
        place += 12 + length
    assert parts[0][0] == b"IHDR"
    assert parts[-1][0] == b"IEND"
    width, height, depth, colour = struct.unpack(">IIBB", parts[0][1][:10])
    channels = {2: 3, 6: 4}[colour]
    assert depth == 8
    rows = zlib.decompress(b"".join(body for kind, body in parts if kind == b"IDAT"))
    assert len(rows) == height * (1 + width * channels)
    stored = np.frombuffer(rows, np.uint8).reshape(height, 1 + width * channels)
    return stored[:, 1:].reshape(height, width, channels)


def test_a_damaged_picture_is_noticed(finished: Callable[[str], Finished]) -> None:
    data = (finished("simple_graph").out / "simple_graph.png").read_bytes()
    read_png(data)
    changed = bytes([*data[:500], data[500] ^ 1, *data[501:]])
    for damaged in (data[:-1], changed, b"", data[1:]):
        with pytest.raises((AssertionError, struct.error)):
            read_png(damaged)


def test_a_warning_would_be_noticed(tmp_path: Path) -> None:
    script = tmp_path / "warns.py"
    script.write_text("import warnings\nwarnings.warn('old', DeprecationWarning)\n")
    done = run(script, cwd=tmp_path)
    assert done.code == 1
    assert "DeprecationWarning: old" in done.complaints


def test_a_file_left_behind_would_be_noticed(tmp_path: Path) -> None:
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    script = tmp_path / "litters.py"
    script.write_text("open('litter', 'w').close()\n")
    assert run(script, cwd=cwd).left_behind == ["litter"]
