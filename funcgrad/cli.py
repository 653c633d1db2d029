"""The command line: `funcgrad COMMAND ...`. It only dispatches; a command is one row of `COMMANDS`.

JAX takes half a second to import. A command therefore declares its arguments in a module that does
without it, and names the function that does the work, which is looked up only when it is called.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import NamedTuple, NoReturn

from funcgrad import __version__
from funcgrad._errors import (
    ConfigurationError,
    DivergedError,
    FuncgradError,
    ProcessLostError,
    RunInterrupted,
)
from funcgrad.audit import options as audit_options
from funcgrad.bench import options as bench_options
from funcgrad.checking import options as checking_options
from funcgrad.listing import options as listing_options
from funcgrad.search import options as search_options
from funcgrad.show import options as show_options
from funcgrad.train import options as train_options

WRONG_USAGE, DIVERGED, PROCESS_LOST, BROKEN_PIPE = 2, 3, 4, 141
SIGNALLED = 128  # plus the number of the signal; 143 after SIGTERM
INTERRUPTED = SIGNALLED + signal.SIGINT


class Command(NamedTuple):
    """One command.

    Attributes:
        name: what is typed after `funcgrad`.
        summary: one line for the list of commands.
        add_arguments: declares the arguments; imported at once, so it must not import JAX.
        handler: `"module:function"`; the function takes the parsed arguments and returns the exit
            code.
    """

    name: str
    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    handler: str


COMMANDS = (
    Command(
        "train",
        "fit WideNet to data by gradient descent with this package's gradients",
        train_options.add_arguments,
        "funcgrad.train.start:run",
    ),
    Command(
        "graph",
        "draw the computation graph of a call, with values, gradients and partials",
        show_options.add_graph_arguments,
        "funcgrad.show.command:run_graph",
    ),
    Command(
        "diagnose",
        "say where a NaN, an infinity or a zero gradient comes from",
        show_options.add_diagnose_arguments,
        "funcgrad.show.command:run_diagnose",
    ),
    Command(
        "check",
        "say whether the derivatives of a function are right",
        checking_options.add_arguments,
        "funcgrad.checking.command:run",
    ),
    Command(
        "audit",
        "measure how accurate JAX's derivatives and ours are, primitive by primitive",
        audit_options.add_arguments,
        "funcgrad.audit.command:run",
    ),
    Command(
        "fuzz",
        "search random programs for derivatives about which independent oracles disagree",
        search_options.add_arguments,
        "funcgrad.search.command:run",
    ),
    Command(
        "bench",
        "measure what our gradients cost beside jax.grad and others",
        bench_options.add_arguments,
        "funcgrad.bench.command:run",
    ),
    Command(
        "rules",
        "list the primitives that can be differentiated, with their formulas",
        listing_options.add_arguments,
        "funcgrad.listing.command:run",
    ),
)


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one sentence, and an error like any other."""

    def error(self, message: str) -> NoReturn:
        raise ConfigurationError(f"{message}; see {self.prog} --help")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line.

    >>> build_parser().parse_args(["train", "--steps", "5"]).steps
    5
    """
    parser = _Parser(
        prog="funcgrad",
        description="See, trust and use gradients in JAX.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"funcgrad {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in COMMANDS:
        subparser = commands.add_parser(
            command.name,
            help=command.summary,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.add_arguments(subparser)
        subparser.set_defaults(handler=command.handler)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the function behind `funcgrad` and `python -m funcgrad`.

    Args:
        argv: the arguments after the program's name; by default those of the process.

    Returns:
        The exit code: 0 for success, 2 for bad input, 3 for a diverged run, 4 for a lost process,
        130 after Ctrl-C, 143 after SIGTERM. What went wrong is one line on stderr.

    >>> main(["--version"])
    funcgrad 0.1.0
    0
    """
    _open_missing_streams()
    try:
        code = _dispatch(argv)
        sys.stdout.flush()  # so that a broken pipe is met here, and not while Python shuts down
    except RunInterrupted as stop:
        code = _say(SIGNALLED + stop.signal, str(stop))
    except KeyboardInterrupt as stop:
        code = _say(INTERRUPTED, str(stop) or "interrupted")
    except BrokenPipeError:
        code = _close_stdout()
    except DivergedError as error:
        code = _say(DIVERGED, f"error: {error}")
    except ProcessLostError as error:
        code = _say(PROCESS_LOST, f"error: {error}")
    except OSError as error:
        code = _say(WRONG_USAGE, f"error: {_explain(error)}")
    except FuncgradError as error:
        code = _say(WRONG_USAGE, f"error: {error}")
    except MemoryError as error:
        detail = f" ({error})" if str(error) else ""
        code = _say(WRONG_USAGE, f"error: there is not enough memory{detail}; use smaller numbers")
    return code


def _open_missing_streams() -> None:
    """Python leaves None where the caller has closed stdout or stderr."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115  open as long as the process
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115  open as long as the process


def _dispatch(argv: Sequence[str] | None) -> int:
    parser = build_parser()
    try:
        words = sys.argv[1:] if argv is None else list(argv)
        options = parser.parse_args(words, argparse.Namespace(words=words))
    except SystemExit as stop:  # --help and --version
        return int(stop.code or 0)
    if not hasattr(options, "handler"):
        parser.print_help(sys.stderr)
        return WRONG_USAGE
    module, function = options.handler.split(":")
    with _interrupt_later():
        loaded = import_module(module)
    code: int = getattr(loaded, function)(options)
    return code


@contextlib.contextmanager
def _interrupt_later() -> Iterator[None]:
    """Hold a Ctrl-C back while compiled modules load, which would fail with an error of theirs."""
    pressed: list[int] = []
    try:
        before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    except ValueError:  # outside the main thread no signal arrives
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt


def _explain(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    path = error.filename2 or error.filename  # of two, the first is a temporary name of ours
    return f"{reason}: {path}" if path is not None else reason


def _say(code: int, message: str) -> int:
    with contextlib.suppress(OSError):  # nobody reads stderr any more
        print("funcgrad:", " ".join(message.split()), file=sys.stderr, flush=True)
    return code


def _close_stdout() -> int:
    """Give what is still in the buffer to nobody, or Python complains about it at the exit."""
    with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    return BROKEN_PIPE
