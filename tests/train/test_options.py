import argparse
from pathlib import Path

import pytest

from funcgrad._errors import ConfigurationError
from funcgrad.train.options import DATA_SETS, Config, add_arguments, configure, default_rate


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        exit_on_error=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(made)
    return made


def config(*words: str) -> Config:
    return configure(parser().parse_args(words))


def test_without_arguments_the_run_is_that_of_the_course() -> None:
    assert config() == Config(
        data="sine",
        target=None,
        optimizer="momentum",
        steps=1847,
        learning_rate=0.003,
        seed=2021,
        batch_size=None,
        width=512,
        warm_start_steps=1,
        reference=False,
        out=Path("widenet-run"),
        every=185,
    )


def test_what_the_user_says_replaces_the_defaults() -> None:
    words = (
        "--data digits --optimizer lion --steps 5 --learning-rate 0.5 --seed -1 --batch-size 7 "
        "--width 3 --warm-start-steps 2 --reference --out here"
    )
    assert config(*words.split()) == Config(
        "digits", None, "lion", 5, 0.5, -1, 7, 3, 2, True, Path("here"), every=1
    )


def test_zero_steps_are_not_taken_for_no_answer() -> None:
    made = config("--steps", "0", "--warm-start-steps", "0")
    assert (made.steps, made.warm_start_steps) == (0, 0)


@pytest.mark.parametrize("name", DATA_SETS)
def test_a_data_set_has_defaults_of_its_own(name: str) -> None:
    made = config("--data", name)
    assert (made.optimizer, made.steps) == DATA_SETS[name][:2]


def test_the_default_rate_depends_on_data_only_for_proportional_steps() -> None:
    assert [default_rate("gd", default) for default in DATA_SETS.values()] == [0.003, 0.01, 0.1]
    assert {default_rate("adam", default) for default in DATA_SETS.values()} == {0.001}


def test_the_help_names_every_default_and_fits_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = parser().format_help()
    assert "  sine         momentum     1847     0.003            1" in shown
    assert "sign-sgd" in shown
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--steps", "-3"], "--steps: must be a whole number of at least 0, but is '-3'"),
        (["--steps", "1.5"], "--steps: must be a whole number of at least 0, but is '1.5'"),
        (["--width", "0"], "--width: must be a whole number from 1 to 16777216, but is '0'"),
        (["--width", "16777217"], "from 1 to 16777216, but is '16777217'"),
        (["--batch-size", "0"], "--batch-size: must be a whole number of at least 1, but is '0'"),
        (["--warm-start-steps", "-1"], "--warm-start-steps: must be a whole number"),
        (["--seed", str(2**64)], "--seed: must be a whole number from -9223372036854775808 to"),
        (["--learning-rate", "0"], "--learning-rate: must be a positive number, but is '0'"),
        (["--learning-rate", "-0.1"], "must be a positive number, but is '-0.1'"),
        (["--learning-rate", "nan"], "must be a positive number, but is 'nan'"),
        (["--learning-rate", "inf"], "must be a positive number, but is 'inf'"),
        (["--learning-rate", "fast"], "must be a positive number, but is 'fast'"),
    ],
)
def test_an_impossible_number_is_named(words: list[str], message: str) -> None:
    with pytest.raises(argparse.ArgumentError) as caught:
        parser().parse_args(words)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--optimizer", "adm"], r"no optimizer 'adm' \(did you mean 'adam'\?\)"),
        (["--data", "sin"], r"neither a data set nor a file 'sin' \(did you mean 'sine'\?\)"),
        (["--data", "unheard"], "'unheard'; --data takes sine, diabetes, digits or the path"),
        (["--data", "mine.csv"], "--data mine.csv needs --target COLUMN"),
        (["--target", "y"], "--target y is for a CSV file, but --data is sine"),
    ],
)
def test_an_impossible_choice_is_named(words: list[str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        config(*words)


def test_a_file_needs_no_suffix_if_it_is_there(tmp_path: Path) -> None:
    path = tmp_path / "table"
    path.touch()
    assert config("--data", str(path), "--target", "y").optimizer == "adam"
