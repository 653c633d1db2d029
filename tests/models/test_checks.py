import numpy as np
import pytest

from funcgrad._errors import GradientTypeError, GradientValueError
from funcgrad.models._checks import integer, integer_from


def test_numpy_integers_become_python_ones() -> None:
    assert type(integer("width", np.int32(3))) is int  # type: ignore[arg-type]  # NumPy's integer
    assert integer_from("width", np.uint8(3), least=3) == 3  # type: ignore[arg-type]  # likewise


@pytest.mark.parametrize("value", [1.0, "3", None])
def test_what_is_no_integer_is_named(value: object) -> None:
    with pytest.raises(GradientTypeError, match=f"width must be an integer, got {value!r} of type"):
        integer("width", value)  # type: ignore[arg-type]  # the fault under test


def test_a_number_below_the_least_is_named() -> None:
    with pytest.raises(GradientValueError, match="width must be 1 or more, got 0"):
        integer_from("width", 0, least=1)
