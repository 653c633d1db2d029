"""The optimisers that `--optimizer` knows: one table, readable without importing Optax."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from funcgrad._errors import ConfigurationError

_NO_SETTINGS: Mapping[str, Any] = MappingProxyType({})


class Rule(NamedTuple):
    """How one optimiser is made.

    Attributes:
        factory: the function of Optax that makes it from a learning rate.
        settings: further arguments of the function.
        rate: the default learning rate; None where the step is proportional to the gradient, so
            that a good rate depends on the data.
        own: this package has an implementation of its own, which the run uses, while the reference
            uses the one of Optax.
    """

    factory: str
    rate: float | None = 1e-3
    settings: Mapping[str, Any] = _NO_SETTINGS
    own: bool = False


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "gd": Rule("sgd", rate=None, own=True),
        "momentum": Rule("sgd", rate=None, settings={"momentum": 0.9}),
        "nesterov": Rule("sgd", rate=None, settings={"momentum": 0.9, "nesterov": True}),
        "adabelief": Rule("adabelief"),
        "adadelta": Rule("adadelta", rate=1.0),
        "adafactor": Rule("adafactor", rate=1e-2),
        "adagrad": Rule("adagrad", rate=0.1),
        "adam": Rule("adam"),
        "adamax": Rule("adamax", rate=1e-2),
        "adamw": Rule("adamw"),
        "adan": Rule("adan"),
        "amsgrad": Rule("amsgrad", rate=1e-2),
        "fromage": Rule("fromage", rate=1e-2),
        "lamb": Rule("lamb", rate=1e-2),
        "lars": Rule("lars", rate=1.0),
        "lion": Rule("lion", rate=3e-4),
        "nadam": Rule("nadam"),
        "nadamw": Rule("nadamw"),
        "novograd": Rule("novograd", rate=1e-2),
        "radam": Rule("radam", rate=1e-2),
        "rmsprop": Rule("rmsprop"),
        "rprop": Rule("rprop"),
        "sign-sgd": Rule("sign_sgd"),
        "yogi": Rule("yogi", rate=1e-2),
    }
)


def find_rule(name: str) -> Rule:
    """Return the optimiser of a name.

    Raises:
        ConfigurationError: there is none; the message suggests the closest and lists all.

    >>> find_rule("momentum").settings
    {'momentum': 0.9}
    """
    if name not in RULES:
        close = difflib.get_close_matches(name.lower().replace("_", "-"), RULES, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise ConfigurationError(
            f"there is no optimizer {name!r}{hint}; the known ones are {', '.join(RULES)}"
        )
    return RULES[name]
