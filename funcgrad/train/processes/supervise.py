"""A run in several processes: they are started, watched, and ended if one of them is lost.

JAX ends a process whose peer is missing, and nothing can be caught there. So every process of a run
is the child of one that does without JAX, hears how it ended, and says it in a sentence.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from funcgrad._errors import ProcessLostError, RunInterrupted
from funcgrad.train.options_devices import AUTO
from funcgrad.train.processes.worker import LOST, WORKER
from funcgrad.train.stopping import SIGNALS

_TICK = 0.05  # seconds
_GRACE = 10.0  # seconds for the others to end by themselves, once one has failed
_FORWARDED = SIGNALS


class Child(NamedTuple):
    """One process, its number among all of the run, and where its messages go."""

    number: int
    process: subprocess.Popen[bytes]
    log: Path


class Ending(NamedTuple):
    """How a process ended; `killed` if it had to be."""

    child: Child
    code: int
    killed: bool


def supervise(options: argparse.Namespace) -> int:
    """Run `funcgrad train` in processes of its own, as many as this machine has to start.

    Args:
        options: the arguments, with the words that they were parsed from as `words`.

    Returns:
        The exit code that the processes agree on.

    Raises:
        ProcessLostError: one of them was killed, crashed, or could not be reached.
        RunInterrupted: a signal ended the run.
    """
    logs = Path(tempfile.mkdtemp(prefix="funcgrad-"))
    with _lifeline() as lifeline, _forwarding() as signals:
        children = [_start(options, number, lifeline, logs) for number in _numbers(options)]
        try:
            endings = _watch(children, signals, options.timeout)
        finally:
            for child in children:
                child.process.kill()
    code = _verdict(endings, options, signals)
    shutil.rmtree(logs, ignore_errors=True)
    return code


# --- starting -------------------------------------------------------------------------------------


def _numbers(options: argparse.Namespace) -> Sequence[int]:
    if options.processes is not None:
        return range(options.processes)
    return [options.process_id or 0]


def _start(options: argparse.Namespace, number: int, lifeline: int, logs: Path) -> Child:
    streams = (os.dup(1), os.dup(2)) if number == 0 else None
    place = {
        "coordinator": None if options.coordinator == AUTO else options.coordinator,
        "process_id": options.process_id,
        "num_processes": options.num_processes,
    }
    if options.processes is not None:
        place = {
            "coordinator": _coordinator(options), "process_id": number,
            "num_processes": options.processes,
        }  # fmt: skip
    word = json.dumps(place | {"streams": streams, "lifeline": lifeline})
    log = logs / f"process-{number}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "funcgrad", *options.words],
            env=os.environ | {WORKER: word},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            pass_fds=(lifeline, *(streams or ())),
            start_new_session=True,  # Ctrl-C reaches this process, which passes it on
        )
    for stream in streams or ():
        os.close(stream)
    return Child(number, process, log)


def _coordinator(options: argparse.Namespace) -> str:
    if options.coordinator is None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            options.coordinator = f"127.0.0.1:{free.getsockname()[1]}"
    address: str = options.coordinator
    return address


@contextmanager
def _lifeline() -> Iterator[int]:
    """The end of a pipe that children read; it ends with this process, however that ends."""
    theirs, ours = os.pipe()
    try:
        yield theirs
    finally:
        os.close(theirs)
        os.close(ours)


@contextmanager
def _forwarding() -> Iterator[list[int]]:
    """Note signals, for the children."""
    came: list[int] = []
    before = {number: signal.signal(number, lambda n, _: came.append(n)) for number in _FORWARDED}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# --- watching -------------------------------------------------------------------------------------


def _watch(children: Sequence[Child], signals: Sequence[int], timeout: float) -> list[Ending]:
    """Wait until all processes have ended, those that cannot any more by force."""
    forwarded, deadline = 0, float("inf")
    while any(child.process.poll() is None for child in children):
        for number in signals[forwarded:]:
            deadline = min(deadline, time.monotonic() + timeout)
            _send(children, number)
        forwarded = len(signals)
        if any(child.process.poll() not in (None, 0) for child in children):
            deadline = min(deadline, time.monotonic() + _GRACE)
        if time.monotonic() > deadline:
            break
        time.sleep(_TICK)
    return [_end(child) for child in children]


def _send(children: Sequence[Child], number: int) -> None:
    for child in children:
        if child.process.poll() is None:
            child.process.send_signal(number)


def _end(child: Child) -> Ending:
    killed = child.process.poll() is None
    if killed:
        child.process.kill()
    return Ending(child, child.process.wait(), killed)


# --- what is told ---------------------------------------------------------------------------------


def _verdict(endings: Sequence[Ending], options: argparse.Namespace, signals: Sequence[int]) -> int:
    codes = {ending.code for ending in endings}
    if codes <= {0}:
        return 0
    if signals and any(ending.killed for ending in endings):
        raise RunInterrupted("ended by force, for the processes did not end", signals[0])
    lost = [ending for ending in endings if ending.code < 0 or ending.code == LOST]
    told = [ending for ending in endings if ending.code > 0 and ending.code != LOST]
    if told:  # that the others waited for it in vain is no news
        first = told[0]
        if first.child.number != 0:  # process 0 has told by itself
            sys.stderr.write(f"{_last_line(first.child.log)} (process {first.child.number})\n")
        return first.code
    raise ProcessLostError(f"{_culprit(lost, options)}. {_remedy(options)}")


def _culprit(lost: Sequence[Ending], options: argparse.Namespace) -> str:
    """What became of the process that the others wait for in vain."""
    total = options.processes or options.num_processes
    of = "" if total is None else f" of {total}"
    for ending in lost:
        if ending.code < 0 and ending.code != -signal.SIGABRT and not ending.killed:
            name = signal.Signals(-ending.code).name
            return f"process {ending.child.number}{of} was ended by {name}"
    for ending in lost:
        if ending.killed:
            return (
                f"process {ending.child.number}{of} gave no sign of life, and was ended; what it "
                f"wrote is in {ending.child.log}"
            )
    child = lost[0].child
    return (
        f"process {child.number}{of} cannot reach the others, or one of them is lost (waited "
        f"{options.timeout} s at most; --timeout); what it wrote is in {child.log}"
    )


def _remedy(options: argparse.Namespace) -> str:
    if options.checkpoint is None:
        return "Nothing of the run is kept; with --checkpoint DIR it could go on"
    steps = [int(path.name.split("_")[1]) for path in options.checkpoint.glob("checkpoint_*")
             if path.name.split("_")[1].isdecimal()]  # fmt: skip
    if not steps:
        return f"There is no checkpoint in {options.checkpoint} yet; start again"
    return (
        f"The checkpoint of step {max(steps)} is in {options.checkpoint}: the same command with "
        "a bare --resume goes on from there"
    )


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    told = [line for line in lines if line.startswith("funcgrad: ")]
    return (told or lines or ["funcgrad: error: it ended without a word"])[-1]
