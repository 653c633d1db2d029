"""Names that load on first use."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from funcgrad._lazy import lazy_names


def test_a_name_loads_once_and_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    package, inner = ModuleType("package"), ModuleType("package.inner")
    inner.__dict__.update(thing=[], other=3)
    monkeypatch.setitem(sys.modules, "package", package)
    monkeypatch.setitem(sys.modules, "package.inner", inner)
    get, names = lazy_names("package", {"thing": "inner", "inner": "inner"}, ("version",))
    assert names() == ["thing", "inner", "version"]
    assert not hasattr(package, "thing")
    assert get("thing") is inner.thing is package.thing
    assert get("inner") is inner is package.inner
    with pytest.raises(AttributeError, match="module 'package' has no attribute 'other'"):
        get("other")
