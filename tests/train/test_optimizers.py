import optax
import pytest

from funcgrad._errors import ConfigurationError
from funcgrad.train.optimizers import RULES, find_rule


@pytest.mark.parametrize("name", RULES)
def test_every_rule_names_a_function_of_optax(name: str) -> None:
    rule = find_rule(name)
    made = getattr(optax, rule.factory)(0.5, **rule.settings)
    assert isinstance(made, optax.GradientTransformation)


def test_only_vanilla_descent_is_our_own() -> None:
    assert [name for name, rule in RULES.items() if rule.own] == ["gd"]


@pytest.mark.parametrize(
    ("typed", "meant"), [("adm", "adam"), ("Momentum", "momentum"), ("sign_sgd", "sign-sgd")]
)
def test_an_unknown_name_is_corrected_and_all_are_listed(typed: str, meant: str) -> None:
    with pytest.raises(ConfigurationError, match="no optimizer") as caught:
        find_rule(typed)
    assert f"{typed!r} (did you mean {meant!r}?)" in str(caught.value)
    assert all(name in str(caught.value) for name in RULES)


def test_a_name_like_no_other_gets_no_suggestion() -> None:
    with pytest.raises(ConfigurationError, match="no optimizer 'xyz'; the known ones are gd, "):
        find_rule("xyz")
