"""Every mistake of the table gives one typed error, whose first line says what to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from funcgrad import FuncgradError
from tests.mistakes.kinds import Mistake, raised
from tests.mistakes.table import MISTAKES

_BUILTIN = (TypeError, ValueError, NotImplementedError, KeyError, AttributeError, RuntimeError)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_is_named_in_the_first_line(
    mistake: Mistake, count: Callable[[str, int], None]
) -> None:
    with pytest.raises(mistake.error, match=mistake.says) as caught:
        mistake.call()
    assert type(caught.value) is mistake.error
    assert isinstance(caught.value, FuncgradError)
    with pytest.raises(mistake.error, match=mistake.says):
        raise mistake.error(str(caught.value).splitlines()[0])
    count("mistakes", 1)


@pytest.mark.parametrize(
    "mistake", [m for m in MISTAKES if m.jax is not None], ids=lambda mistake: mistake.name
)
def test_who_catches_jaxs_error_catches_ours(mistake: Mistake) -> None:
    assert mistake.jax is not None
    theirs = raised(mistake.jax)
    if theirs is None:  # JAX computes something
        return
    for builtin in _BUILTIN:
        if isinstance(theirs, builtin):
            assert issubclass(mistake.error, builtin), theirs


def test_the_table_is_long_and_says_each_thing_once() -> None:
    assert len(MISTAKES) >= 80
    assert len({mistake.name for mistake in MISTAKES}) == len(MISTAKES)
