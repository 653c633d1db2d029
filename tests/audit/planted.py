"""Primitives with planted faults; imported by the workers of an audit."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import mlir

from funcgrad._registry import Case, general


def _plant(name: str, value: Callable[[Any], Any], pullback: Callable[..., Any]) -> None:
    primitive = Primitive(name)
    primitive.def_impl(value)
    primitive.def_abstract_eval(lambda x: x)
    mlir.register_lowering(primitive, mlir.lower_fun(value, multiple_results=False))
    case = Case(primitive.bind, ((0.3, 1.7),), (((2, 2),),), note=f"planted: {name}")
    general(primitive, pullback, cases=[case])


def _dies(ct: Any, _y: Any, x: Any) -> Any:
    if ct.dtype == jnp.float32:
        os._exit(7)
    return 2 * ct * x


def _hangs(ct: Any, _y: Any, x: Any) -> Any:
    if ct.dtype == jnp.float32:
        time.sleep(600)
    return 2 * ct * x


def _raises(_ct: Any, _y: Any, _x: Any) -> Any:
    raise ValueError("planted\nsecond line")


def _square(x: Any) -> Any:
    return x * x


# Only in a worker: whoever collects the tests imports this module, too.
if multiprocessing.parent_process() is not None:
    _plant("planted_right", _square, lambda ct, _y, x: 2 * ct * x)
    _plant("planted_sign", _square, lambda ct, _y, x: -2 * ct * x)
    _plant("planted_small", _square, lambda ct, _y, x: 2.002 * ct * x)
    _plant("planted_nan", _square, lambda ct, _y, x: 2 * ct * x * jnp.nan)
    _plant("planted_raise", _square, _raises)
    _plant("planted_death", _square, _dies)
    _plant("planted_hang", _square, _hangs)
