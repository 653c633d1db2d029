"""Rules for primitives of packages that are not imported: found by the name of their home."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
from jax.extend.core import Primitive

import funcgrad
from funcgrad import _registry as registry
from funcgrad.rules import third_party

NAMES = (
    "linear_solve maybe_set nondifferentiable_backward select_if_vmap unvmap_all unvmap_any "
    "unvmap_max vprim"
)


def _tripling(name: str) -> Any:
    primitive = Primitive(name)
    primitive.def_impl(lambda x: 3 * x)
    primitive.def_abstract_eval(lambda x: x)
    return primitive


@pytest.fixture(autouse=True)
def _tables_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_RULES", registry.rules())
    monkeypatch.setattr(registry, "_FOREIGN", dict(registry._FOREIGN))


def test_a_rule_is_declared_when_its_primitive_is_met(monkeypatch: pytest.MonkeyPatch) -> None:
    declared: list[Any] = []

    def declare(primitive: Any) -> None:
        declared.append(primitive)
        registry.general(primitive, lambda ct, _y, _x: 3 * ct)

    registry.foreign("tripling", "package_elsewhere", "tripling_p", declare)
    module, primitive = ModuleType("package_elsewhere"), _tripling("tripling")
    with pytest.raises(funcgrad.MissingRuleError, match="tripling"):
        funcgrad.grad(primitive.bind)(1.0)
    module.tripling_p = primitive  # type: ignore[attr-defined]  # as a module is made here
    monkeypatch.setitem(sys.modules, "package_elsewhere", module)
    assert float(funcgrad.grad(primitive.bind)(1.0)) == 3.0
    assert float(funcgrad.grad(primitive.bind)(2.0)) == 3.0
    assert declared == [primitive]


def test_another_primitive_of_the_same_name_has_no_rule() -> None:
    with pytest.raises(funcgrad.MissingRuleError, match="maybe_set"):
        funcgrad.grad(_tripling("maybe_set").bind)(1.0)


def test_the_primitives_with_a_rule() -> None:
    assert set(NAMES.split()) <= set(registry._FOREIGN)
    assert not {"equinox", "lineax"} & set(vars(third_party))
