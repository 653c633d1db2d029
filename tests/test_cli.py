"""The command line through a shell; what a command does is tested beside its modules."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from funcgrad import __version__, cli
from funcgrad._errors import DivergedError, FuncgradError

COURSE = {  # what PyTorch 2.13 printed on a CPU; the loss before any step, and at four places
    "--warm-start-steps 1": [0.8889423, 0.5627539, 0.2934741, 0.0699753, 0.0672953],
    "--warm-start-steps 0": [0.8889423, 0.8889423, 0.2940495, 0.0699948, 0.0672954],
    "--optimizer gd --warm-start-steps 0": [0.8889423, 0.8889423, 0.3442242, 0.2886214, 0.2437320],
}
FEW = ["--steps", "3", "--width", "8"]
WITHOUT_EXTRAS = """
import sys
sys.modules.update(dict.fromkeys(["flax", "matplotlib", "sklearn"]))
from funcgrad.cli import main
sys.exit(main(sys.argv[1:]))
"""


def shell(*words: str, cwd: Path, code: str | None = None) -> subprocess.CompletedProcess[str]:
    start = ["-m", "funcgrad"] if code is None else ["-c", code]
    return subprocess.run(
        [sys.executable, *start, *words],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def environment(**more: str) -> dict[str, str]:
    root = str(Path(cli.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": root, **more}


def one_sentence(done: subprocess.CompletedProcess[str]) -> str:
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("funcgrad: error: ")
    return line


# --- success --------------------------------------------------------------------------------------


def test_without_arguments_the_run_of_the_course(tmp_path: Path) -> None:
    done = shell("train", cwd=tmp_path)
    assert done.returncode == 0
    folder = tmp_path / "widenet-run"
    assert sorted(os.listdir(folder)) == ["metrics.json", "parameters.npz", "widenet.png"]
    record = json.loads((folder / "metrics.json").read_text())
    assert_course(record, COURSE["--warm-start-steps 1"])
    assert record["compile_seconds"] + record["train_seconds"] < 15
    assert re.search(r"1000th loss +0\.0699[0-9]{4}\n", done.stdout)
    assert "\x1b" not in done.stdout + done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert len(re.findall("^training: step ", done.stderr, re.MULTILINE)) == 1 + 10


@pytest.mark.parametrize("words", COURSE)
def test_the_rows_of_the_course(
    words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert cli.main(["train", "--json", "--out", str(tmp_path), *words.split()]) == 0
    assert_course(json.loads(capsys.readouterr().out), COURSE[words])


def assert_course(record: dict[str, Any], expected: list[float]) -> None:
    losses = record["losses"]
    assert len(losses) == 1847
    ours = [record["initial_loss"], losses[0], losses[99], losses[999], losses[1846]]
    assert ours == pytest.approx(expected, rel=1e-5)


def test_stdout_holds_one_json_object_and_nothing_else(tmp_path: Path) -> None:
    done = shell("train", "--json", "--reference", *FEW, cwd=tmp_path)
    assert done.returncode == 0
    record = json.loads(done.stdout)
    assert record["reference_difference"]["largest"] < 1e-5
    assert "initial loss" in done.stderr


def test_without_the_extras_a_run_is_complete_but_for_them(tmp_path: Path) -> None:
    done = shell("train", "--json", "--reference", *FEW, cwd=tmp_path, code=WITHOUT_EXTRAS)
    assert done.returncode == 0
    assert json.loads(done.stdout)["reference_difference"] is None
    assert sorted(os.listdir(tmp_path / "widenet-run")) == ["metrics.json", "parameters.npz"]
    for extra in ("flax", "plot"):
        assert f'pip install "funcgrad[{extra}]"' in done.stderr


def test_on_a_terminal_there_is_a_bar(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "funcgrad", "train", *FEW],
        cwd=tmp_path,
        env=environment(TERM="xterm", COLUMNS="80"),
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b"".join(iter(lambda: _read(ours), b"")).decode()
    os.close(ours)
    assert process.returncode == 0
    assert "4/4" in shown
    assert "\x1b[" in shown
    assert "initial loss" in shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux: the other end is closed
        return b""


# --- failure --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\nx,3\n", r"line 3, column 1 \('a'\): 'x' is not a number"),
        ("a,b\n1,2\n3,nan\n", r"line 3, column 2 \('b'\): 'nan' is not a finite number"),
        ("a,c\n1,2\n", r"no column 'b'; its columns are 'a', 'c'"),
        ("", "is empty"),
    ],
)
def test_bad_data_end_with_a_sentence(
    content: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(content)
    assert cli.main(["train", "--data", str(path), "--target", "b"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(f"^funcgrad: error: .*t.csv.*{message}", line)


def test_a_bad_cell_through_the_shell(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\nx,3\n")
    done = shell("train", "--data", "t.csv", "--target", "b", "--json", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "t.csv, line 3, column 1 ('a'): 'x' is not a number" in one_sentence(done)
    assert os.listdir(tmp_path) == ["t.csv"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--optimizer adm", "there is no optimizer 'adm' (did you mean 'adam'?)"),
        ("--steps -3", "argument --steps: must be a whole number of at least 0, but is '-3'"),
        ("--learning-rate", "argument --learning-rate: expected one argument; see funcgrad train"),
        ("--colour", "unrecognized arguments: --colour; see funcgrad --help"),
        ("--data missing.csv --target y", "there is no file missing.csv"),
        ("--batch-size 33", "--batch-size 33 is more than the 32 training examples"),
    ],
)
def test_wrong_usage_ends_with_a_sentence(
    words: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["train", *words.split()]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = shown.err.splitlines()
    assert line.startswith(f"funcgrad: error: {message}")


def test_a_folder_below_a_file_through_the_shell(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = shell("train", "--out", "file/below", cwd=tmp_path)
    assert done.returncode == 2
    assert "cannot write to the folder file/below: Not a directory" in one_sentence(done)


def test_a_diverging_run_through_the_shell(tmp_path: Path) -> None:
    done = shell("train", "--optimizer", "gd", "--learning-rate", "100", "--json", cwd=tmp_path)
    assert done.returncode == 3
    assert json.loads(done.stdout)["losses"][-1] is None
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("funcgrad: error: the run diverged: at step ")
    assert "metrics.json" in os.listdir(tmp_path / "widenet-run")


def test_ctrl_c_through_the_shell(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "funcgrad", "train", "--steps", "100000000", "--width", "8"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("compiled for ")
        assert process.stderr.readline().startswith("training: step 8 of 100000001, loss ")
        process.send_signal(signal.SIGINT)
        shown, told = process.communicate(timeout=120)
    assert (process.returncode, shown) == (130, "")
    stopping, line = told.splitlines()
    assert stopping == "stopping; press Ctrl-C twice more to abandon the run"
    done = re.search(r"^funcgrad: interrupted after (\d+) of 100000000 steps; what was done", line)
    assert done is not None
    record = json.loads((tmp_path / "widenet-run" / "metrics.json").read_text())
    assert len(record["losses"]) == int(done[1]) > 0


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    with subprocess.Popen(
        [sys.executable, "-m", "funcgrad", "train", *FEW],
        cwd=tmp_path,
        env=environment(),
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.close(theirs)
        _, told = process.communicate(timeout=120)
    assert process.returncode == cli.BROKEN_PIPE
    assert "Error" not in told
    assert "Exception" not in told
    assert len(os.listdir(tmp_path / "widenet-run")) == 3


def test_closed_streams_are_no_error(tmp_path: Path) -> None:
    done = subprocess.run(
        f'"{sys.executable}" -m funcgrad train --steps 1 --width 2 >&- 2>&-',
        shell=True,
        cwd=tmp_path,
        env=environment(),
        check=False,
        timeout=120,
    )
    assert done.returncode == 0
    assert len(os.listdir(tmp_path / "widenet-run")) == 3


# --- dispatch -------------------------------------------------------------------------------------


def test_help_and_version_do_not_import_jax(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom funcgrad.cli import main\n"
        "calls = [['--version'], ['train', '--help'], [], ['train', '--no-such-option']]\n"
        "codes = [main(call) for call in calls]\n"
        "loaded = [name for name in ('jax', 'numpy', 'rich', 'optax') if name in sys.modules]\n"
        "print(codes, loaded)\n"
    )
    done = shell(cwd=tmp_path, code=code)
    assert done.stdout.startswith(f"funcgrad {__version__}\n")
    assert done.stdout.endswith("[0, 0, 2, 2] []\n")
    assert "--warm-start-steps" in done.stdout


def test_without_a_command_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "train" in shown.err


def test_an_unknown_command_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["trian"]) == 2
    assert "invalid choice: 'trian'" in capsys.readouterr().err


@pytest.mark.parametrize("command", cli.COMMANDS, ids=lambda command: command.name)
def test_every_command_has_a_handler_and_help(
    command: cli.Command, capsys: pytest.CaptureFixture[str]
) -> None:
    module, function = command.handler.split(":")
    assert callable(getattr(__import__(module, fromlist=[function]), function))
    assert cli.main([command.name, "--help"]) == 0
    assert f"usage: funcgrad {command.name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (KeyboardInterrupt(), 130, "funcgrad: interrupted\n"),
        (MemoryError(), 2, "funcgrad: error: there is not enough memory; use smaller numbers\n"),
        (MemoryError("9 GiB"), 2, "funcgrad: error: there is not enough memory (9 GiB); use s"),
        (OSError(28, "Full"), 2, "funcgrad: error: Full\n"),
        (OSError(28, "Full", "a"), 2, "funcgrad: error: Full: a\n"),
        (OSError(21, "Is a directory", "t", None, "f"), 2, "funcgrad: error: Is a directory: f\n"),
        (OSError(), 2, "funcgrad: error: OSError\n"),
        (FuncgradError("two\nlines"), 2, "funcgrad: error: two lines\n"),
        (DivergedError("inf"), 3, "funcgrad: error: inf\n"),
    ],
)
def test_every_expected_error_is_one_line(
    error: BaseException,
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(_: object) -> int:
        raise error

    monkeypatch.setattr(cli, "_dispatch", fail)
    assert cli.main(["train"]) == code
    assert capsys.readouterr().err.startswith(message)


def test_an_error_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "_dispatch", fail)
    with pytest.raises(ZeroDivisionError):
        cli.main(["train"])


def test_an_interrupt_while_modules_load_is_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled modules would fail with an error of their own, and another exit code."""
    done: list[str] = []

    def slow(name: str) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        done.append(name)
        return None

    monkeypatch.setattr(cli, "import_module", slow)
    assert cli.main(["rules"]) == cli.INTERRUPTED
    assert done == ["funcgrad.listing.command"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
