import io

import pytest

from funcgrad.train.progress import on_terminal, progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_pipe_gets_about_ten_plain_lines() -> None:
    stream = io.StringIO()
    with progress("training", 1848, stream) as advance:
        for done in range(8, 1849, 8):
            advance(done, 1 / done)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "training: step 8 of 1848, loss 0.1250000"
    assert lines[1] == "training: step 192 of 1848, loss 0.005208333"
    assert lines[-1] == "training: step 1848 of 1848, loss 0.0005411255"
    assert len(lines) == 1 + 10
    assert "\x1b" not in stream.getvalue()


def test_a_short_run_gets_a_line_for_each_step() -> None:
    stream = io.StringIO()
    with progress("training", 3, stream) as advance:
        for done in (1, 2, 3):
            advance(done, 0.5)
    assert len(stream.getvalue().splitlines()) == 3


@pytest.mark.parametrize("environment", [{}, {"FORCE_COLOR": "1"}])
def test_a_pipe_gets_no_escape_sequences(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert not on_terminal(io.StringIO())


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with progress("training", 10, stream) as advance:
        advance(10, 0.5)
    assert "\x1b[" in stream.getvalue()
    assert "10/10" in stream.getvalue()
    assert "loss 0.5000000" in stream.getvalue()
    assert stream.getvalue().endswith("\x1b[?25h")  # the cursor is back


def test_a_terminal_is_left_in_order_after_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with pytest.raises(KeyboardInterrupt), progress("training", 10, stream):
        raise KeyboardInterrupt
    assert stream.getvalue().endswith("\x1b[?25h")


def test_a_dumb_terminal_is_treated_like_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert not on_terminal(Terminal())
    monkeypatch.setenv("TERM", "xterm")
    assert on_terminal(Terminal())


def test_no_step_shows_nothing() -> None:
    stream = io.StringIO()
    with progress("training", 0, stream):
        pass
    assert stream.getvalue() == ""
