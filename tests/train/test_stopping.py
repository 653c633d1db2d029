"""Signals are noted, and the third Ctrl-C is obeyed."""

from __future__ import annotations

import signal
import threading

import pytest

from funcgrad.train.stopping import stopping


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_told(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stopping() as pressed:
        assert pressed() is None
        signal.raise_signal(number)
        signal.raise_signal(signal.SIGTERM)
        assert pressed() == number
    assert signal.getsignal(number) is before


def test_the_third_ctrl_c_is_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    with stopping() as pressed:
        signal.raise_signal(signal.SIGINT)
        assert "press Ctrl-C twice more to abandon" in capsys.readouterr().err
        signal.raise_signal(signal.SIGINT)
        assert pressed() == signal.SIGINT
        with pytest.raises(KeyboardInterrupt, match="abandoned"):
            signal.raise_signal(signal.SIGINT)


def test_in_another_thread_there_are_no_signals() -> None:
    told: list[int | None] = []

    def work() -> None:
        with stopping() as pressed:
            told.append(pressed())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert told == [None]
