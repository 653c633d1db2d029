"""Each error is also the built-in error that JAX or Python raises for the same mistake."""

import pytest

from funcgrad import _errors
from funcgrad._errors import FuncgradError

BUILTIN = {
    "ArgumentNumberError": (TypeError, ValueError),
    "CheckpointError": (ValueError,),
    "CollectiveError": (ValueError,),
    "ConfigurationError": (ValueError,),
    "DataError": (ValueError,),
    "DivergedError": (ArithmeticError,),
    "GradientTypeError": (TypeError,),
    "GradientValueError": (ValueError,),
    "MissingRuleError": (NotImplementedError,),
    "ProcessLostError": (RuntimeError,),
    "RuleError": (ValueError,),
    "TapeError": (ValueError,),
    "TraceEndedError": (TypeError,),
    "TreeError": (ValueError,),
    "UnknownParameterError": (NotImplementedError,),
}


def test_every_error_is_listed_here() -> None:
    assert set(_errors.__all__) == {*BUILTIN, "FuncgradError"}
    defined = {
        name
        for name, thing in vars(_errors).items()
        if isinstance(thing, type) and issubclass(thing, Exception)
    }
    assert defined == set(_errors.__all__)


@pytest.mark.parametrize("name", BUILTIN)
def test_code_that_catches_the_built_in_error_goes_on_working(name: str) -> None:
    error = getattr(_errors, name)
    assert issubclass(error, FuncgradError)
    for builtin in BUILTIN[name]:
        with pytest.raises(builtin, match="said so"):
            raise error("said so")


@pytest.mark.parametrize("name", _errors.__all__)
def test_every_error_says_what_it_is_for(name: str) -> None:
    assert len(getattr(_errors, name).__doc__) > 20
