"""Meshes by name."""

from __future__ import annotations

import jax
import pytest
from jax.sharding import AxisType

from funcgrad._errors import ConfigurationError
from funcgrad.parallel import make_mesh, parse_mesh


@pytest.mark.parametrize("text", ["", "data", "data=", "=2", "data=0", "data=-1", "a=x"])
def test_what_is_no_mesh_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is no axis; give axes and their sizes"):
        parse_mesh(text)


def test_an_axis_that_is_named_twice_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="has the axis 'a' twice; give axes"):
        parse_mesh("a=1,a=2")


def test_more_places_than_devices_are_refused() -> None:
    count = len(jax.devices()) + 1
    with pytest.raises(ConfigurationError, match=f"has {count} places, but there (is|are) "):
        make_mesh({"data": count})


@pytest.mark.parametrize(("explicit", "kind"), [(True, AxisType.Explicit), (False, AxisType.Auto)])
def test_the_kind_of_the_axes(explicit: bool, kind: AxisType) -> None:
    mesh = make_mesh({"data": 1}, explicit=explicit)
    assert mesh.axis_types == (kind,)
