"""``funcgrad bench``: from parsed arguments to a table."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import jax
from rich.console import Console

from funcgrad._errors import ConfigurationError
from funcgrad.bench import _basic, _growth, _science, _training, _wide
from funcgrad.bench import _report as reports
from funcgrad.bench._figures import Figure, figures
from funcgrad.bench._roofline import roofline
from funcgrad.bench._workload import Workload
from funcgrad.bench.options import EXTRAS, WORKLOADS

_SECONDS, _QUICK = 2.0, 0.2  # for each timed figure


def run(options: argparse.Namespace) -> int:
    """Measure what the arguments ask for, and print it.

    Raises:
        ConfigurationError: there is no such device, or the picture cannot be written.
    """
    picture = _picture(options.picture)
    with _on(options.device):
        report = _measure(dict.fromkeys(options.only or WORKLOADS + EXTRAS), options.quick)
        if report.figures or not report.interrupted:
            _print(report, options)
    if report.interrupted:
        raise KeyboardInterrupt
    if picture is not None:
        picture(report.figures, options.picture)
    return 0


def _print(report: reports.Report, options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps(reports.as_json(report), indent=1))
    elif options.markdown:
        print(reports.markdown(report))
    else:
        console = Console(width=None if sys.stdout.isatty() else 100, highlight=False)
        console.print(reports.table(report), reports.use_table(report))
        console.print(reports.summary_table(report))


def _picture(path: Path | None) -> Callable[..., None] | None:
    """How to draw; asked before the run, so that a missing package is no surprise after it."""
    if path is None:
        return None
    if path.suffix not in {".png", ".svg"}:
        raise ConfigurationError(f"--picture {path} must end in .png or .svg")
    if not path.absolute().parent.is_dir():
        raise ConfigurationError(
            f"cannot write the picture {path}: there is no folder {path.parent}; make it first"
        )
    if path.is_dir():
        raise ConfigurationError(f"--picture {path} is a folder; name a file in it")
    if not os.access(path if path.exists() else path.absolute().parent, os.W_OK):
        raise ConfigurationError(
            f"cannot write the picture {path}: no permission to write there; name another place"
        )
    draw: Callable[..., None] = import_module("funcgrad.bench._picture").draw
    return draw


def _on(device: str | None) -> Any:
    if device is None:
        return contextlib.nullcontext()
    try:
        return jax.default_device(jax.devices(device)[0])
    except RuntimeError as error:
        raise ConfigurationError(
            f"--device {device}: JAX finds none ({str(error).splitlines()[0]}); it has "
            f"{jax.devices()[0].platform}"
        ) from error


def _measure(names: Iterable[str], quick: bool) -> reports.Report:
    found: list[Figure] = []
    skipped: list[str] = []
    peaks = roofline()
    for name in names:
        _say(f"measuring {name}")
        try:
            found += _figures(name, quick)
        except ImportError as error:
            skipped.append(f"{name}: {error}")
            _say(f"skipped: {skipped[-1]}")
        except KeyboardInterrupt:  # the minutes before it are not lost
            skipped.append(f"{name}: interrupted, and what would have followed")
            return reports.Report(found, peaks, skipped, interrupted=True)
    return reports.Report(found, peaks, skipped)


def _figures(name: str, quick: bool) -> Iterator[Figure]:
    seconds = _QUICK if quick else _SECONDS
    if name in _EXTRAS:
        return _EXTRAS[name](seconds)
    workloads = _WORKLOADS | _SMALLER if quick else _WORKLOADS
    return figures(workloads[name](), seconds)


def _from(module: str, name: str, *arguments: Any) -> Any:
    """Call a function of a module that needs an optional package."""
    return getattr(import_module(f"funcgrad.bench.{module}"), name)(*arguments)


_WORKLOADS: dict[str, Callable[[], Workload]] = {
    "simple": _basic.simple_graph,
    "widenet": _basic.widenet,
    "wider": _basic.wider_net,
    "chain": _basic.chain,
    "deep": _basic.deep,
    "scanned": _basic.deep_scanned,
    "hvp": _basic.hessian_vector,
    "gru": _science.gru,
    "gp": _science.gaussian_process,
    "embedding": _science.embedding,
    "fori": _science.ode_fori,
    "while": _science.ode_while,
    "conv": partial(_from, "_flax", "conv_net"),
    "transformer": partial(_from, "_flax", "transformer"),
}
# For --quick: ten thousand operations are compiled for half a minute.
_SMALLER: dict[str, Callable[[], Workload]] = {"chain": partial(_basic.chain, 1000)}
_EXTRAS: dict[str, Callable[[float], Iterator[Figure]]] = {
    "training": _training.training,
    "wide": _wide.wide,
    "growth": _growth.growth,
    "autograd": partial(_from, "_autograd", "figures"),
    "torch": partial(_from, "_torch", "figures"),
}


def _say(line: str) -> None:
    print(f"funcgrad: {line}", file=sys.stderr, flush=True)
