"""Training over eight devices: run by `test_devices.py` in a process that has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
import pytest
from jax.sharding import PartitionSpec

from funcgrad import descend, gd_step, minimize
from funcgrad._errors import GradientValueError, TreeError
from funcgrad.cli import main
from funcgrad.models import init_widenet, noisy_sine, widenet_loss, widenet_specs
from funcgrad.parallel import gather, make_mesh, replicate, shard_batch, shard_params
from funcgrad.train.program import compile_run, make_optimizer
from funcgrad.train.run import train
from funcgrad.train.task import Task

P = PartitionSpec
MESHES = ({"data": 8}, {"data": 4, "model": 2}, {"data": 1, "model": 8}, {"data": 2, "model": 3})
STEPS = 1848  # the run of the course, with the step of its warm start


def ignore(done: int, loss: float) -> None:
    del done, loss


def losses(mesh: dict[str, int] | None, batch_size: int | None, steps: int, width: int) -> Any:
    task = Task(noisy_sine(), init_widenet(2021, width), widenet_loss, batch_size, 2021)
    layout = None if mesh is None else make_mesh(mesh)
    trained = train(
        compile_run(task, make_optimizer("momentum", 0.003), steps, layout), steps, ignore
    )
    assert trained.params["w1"].shape == (1, width)
    assert len(trained.params["w1"].devices()) == 1
    return trained.losses


@pytest.mark.parametrize("mesh", MESHES[:3], ids=str)
def test_the_course_run_has_the_losses_of_one_device(mesh: dict[str, int]) -> None:
    alone, together = (losses(devices, None, STEPS, 512) for devices in (None, mesh))
    assert len(alone) == STEPS
    np.testing.assert_allclose(together, alone, rtol=1e-5)


@pytest.mark.parametrize("mesh", MESHES, ids=str)
def test_mini_batches_are_those_of_one_device(mesh: dict[str, int]) -> None:
    alone, together = (losses(devices, 8, 60, 48) for devices in (None, mesh))
    np.testing.assert_allclose(together, alone, rtol=1e-5)


def placed(mesh: Any) -> tuple[Any, Any, Any]:
    data = noisy_sine()
    specs = widenet_specs("model") if "model" in mesh.shape else P()
    params = shard_params(init_widenet(2021, 64), mesh, specs)
    return params, *shard_batch((data.x, data.y), mesh)


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("axes", MESHES[:2], ids=str)
def test_descent_takes_what_is_sharded(axes: dict[str, int], explicit: bool) -> None:
    data, first = noisy_sine(), init_widenet(2021, 64)
    alone = descend(widenet_loss, first, 0.01, 20, data.x, data.y)
    alone_adam = minimize(widenet_loss, first, optax.adam(0.01), data.x, data.y, steps=20)
    mesh = make_mesh(axes, explicit=explicit)
    with jax.set_mesh(mesh):
        params, x, y = placed(mesh)
        run = descend(widenet_loss, params, 0.01, 20, x, y)
        adam = minimize(widenet_loss, params, optax.adam(0.01), x, y, steps=20)
        step = gd_step(widenet_loss, params, 0.01, x, y)
        over = minimize(widenet_loss, params, optax.adam(0.01), batches=[(x, y)] * 40)
        thin = descend(widenet_loss, params, 0.01, 20, x, y, keep_path=True, history=6)
        few = minimize(
            widenet_loss, params, optax.adam(0.01), batches=[(x, y)] * 20, keep_path=True, history=6
        )
    np.testing.assert_allclose(run.losses, alone.losses, rtol=1e-5)
    np.testing.assert_allclose(adam.losses, alone_adam.losses, rtol=1e-5)
    np.testing.assert_allclose(over.losses[:20], alone_adam.losses, rtol=1e-5)
    np.testing.assert_allclose(thin.losses, alone.losses[::6], rtol=1e-5)
    np.testing.assert_allclose(few.losses, alone_adam.losses[::6], rtol=1e-5)
    for kept in (thin, few):
        assert kept.path["w1"].shape == (4, 1, 64)
        assert kept.params["w1"].sharding.is_equivalent_to(params["w1"].sharding, 2)
        np.testing.assert_array_equal(kept.path["w1"][0], first["w1"])
    for name, leaf in step.items():
        assert leaf.shape == first[name].shape
        assert leaf.sharding.is_equivalent_to(params[name].sharding, leaf.ndim)


def test_gathered_arrays_are_whole() -> None:
    mesh = make_mesh({"data": 4, "model": 2})
    params = init_widenet(2021, 64)
    together = gather(shard_params(params, mesh, widenet_specs("model")))
    for name, leaf in params.items():
        np.testing.assert_array_equal(together[name], leaf)


def test_what_cannot_be_split_is_refused() -> None:
    mesh = make_mesh({"data": 4, "model": 2})
    with pytest.raises(GradientValueError, match=r"shape \(6,\) at batch\[0\] cannot be split ev"):
        shard_batch((np.ones(6), np.ones(8)), mesh)
    with pytest.raises(GradientValueError, match="no axis 'rows'; its axes are data, model"):
        shard_batch(np.ones(8), mesh, "rows")
    with pytest.raises(GradientValueError, match=r"params\['w'\] of shape \(3,\) cannot be split"):
        shard_params({"w": np.ones(3)}, mesh, P("model"))
    with pytest.raises(TreeError, match="no upper part of that of the parameters"):
        shard_params({"w": np.ones(4)}, mesh, {"v": P()})
    with pytest.raises(TreeError, match="give a PartitionSpec"):
        shard_params({"w": np.ones(4)}, mesh, {"w": "model"})


def test_replicated_leaves_are_everywhere() -> None:
    tree = replicate({"w": np.ones(3), "n": 2}, make_mesh({"data": 8}))
    assert all(leaf.is_fully_replicated for leaf in jax.tree.leaves(tree))
    assert {len(leaf.devices()) for leaf in jax.tree.leaves(tree)} == {8}


def test_the_command_trains_on_a_mesh(tmp_path: Path, capsys: Any) -> None:
    words = ["train", "--steps", "30", "--width", "16", "--out"]
    assert main([*words, str(tmp_path / "one")]) == 0
    assert main([*words, str(tmp_path / "mesh"), "--mesh", "data=4,model=2"]) == 0
    assert "8 devices as data=4, model=2" in capsys.readouterr().out
    one, mesh = (
        json.loads((tmp_path / run / "metrics.json").read_text()) for run in ("one", "mesh")
    )
    np.testing.assert_allclose(mesh["losses"], one["losses"], rtol=1e-5)


def test_a_checkpoint_of_one_mesh_goes_on_on_another(tmp_path: Path) -> None:
    words = ["train", "--width", "16", "--optimizer", "adam", "--batch-size", "8"]
    kept = ["--checkpoint", str(tmp_path / "kept"), "--resume"]
    meshes: tuple[list[str], ...] = (
        ["--mesh", "data=4,model=2"],
        [],
        ["--mesh", "data=2"],
        ["--mesh", "data=8"],
    )
    for place, mesh in enumerate(meshes, 1):
        steps = ["--steps", str(15 * place), "--out", str(tmp_path / "out")]
        assert main([*words, *steps, *kept, *mesh]) == 0
    assert main([*words, "--steps", "60", "--out", str(tmp_path / "one")]) == 0
    moved, one = (
        json.loads((tmp_path / run / "metrics.json").read_text()) for run in ("out", "one")
    )
    assert len(one["losses"]) == 60
    np.testing.assert_allclose(moved["losses"], one["losses"], rtol=1e-5)


@pytest.mark.parametrize(
    ("mesh", "more", "message"),
    [
        ("rows=8", [], "knows only the axes 'data', over which"),
        ("data=16", [], "has 16 places, but there are 8 devices"),
        ("data=5", [], "the 32 examples of a step cannot be split evenly over data=5"),
        ("data=4", ["--batch-size", "6"], "for example by --batch-size 4"),
        ("model=3", [], "--width 512 cannot be split evenly over model=3"),
        ("data", [], "'data' in the mesh 'data' is no axis"),
    ],
)
def test_what_does_not_fit_is_told(
    mesh: str, more: list[str], message: str, tmp_path: Path, capsys: Any
) -> None:
    assert main(["train", "--mesh", mesh, "--out", str(tmp_path), *more]) == 2
    assert message in capsys.readouterr().err
