"""Which arguments go with a dry run."""

import argparse

import pytest

from funcgrad._errors import ConfigurationError
from funcgrad.cli import build_parser
from funcgrad.train.dry_run.machines import MACHINES
from funcgrad.train.dry_run.options import DEFAULT_MACHINE, wants_dry_run


def parsed(*words: str) -> argparse.Namespace:
    return build_parser().parse_args(["train", *words])


def test_without_a_word_a_run_trains() -> None:
    assert not wants_dry_run(parsed())
    assert not wants_dry_run(parsed("--reference", "--mesh", "data=8"))


def test_everything_that_goes_with_it() -> None:
    options = parsed("--dry-run", "--examples", "64", "--machine", "h100,network=1e9", "--json")
    assert wants_dry_run(options)
    assert (options.examples, options.machine) == (64, "h100,network=1e9")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--dry-run", "--reference"], "a dry run has none; leave one of the two out"),
        (["--dry-run", "--processes", "1"], "--processes starts processes, but a dry run takes"),
        (["--dry-run", "--coordinator", "auto"], "--coordinator joins processes, but"),
        (["--dry-run", "--checkpoint", "here"], "--checkpoint keeps what is trained, but"),
        (["--examples", "64"], "--examples is for a dry run, and this one trains"),
        (["--machine", "h100"], "--machine is for a dry run, and this one trains"),
    ],
)
def test_what_does_not_go_together(words: list[str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        wants_dry_run(parsed(*words))


def test_the_default_machine_is_one() -> None:
    assert DEFAULT_MACHINE in MACHINES
