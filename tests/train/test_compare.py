import jax
import jax.numpy as jnp
import numpy as np
import pytest

from funcgrad.models import init_widenet, noisy_sine, widenet_loss
from funcgrad.train.compare import gradient_difference, loss_difference


@jax.custom_jvp
def wrong_double(x: jax.Array) -> jax.Array:
    return 2 * x


@wrong_double.defjvp
def _(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    return wrong_double(*primals), 2.25 * tangents[0]


def test_the_gradients_of_the_course_agree() -> None:
    data = noisy_sine()
    difference = gradient_difference(widenet_loss, init_widenet(), data.x, data.y)
    assert difference.absolute < 1e-7
    assert difference.ulp <= 4


def test_a_wrong_gradient_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    # Both sides honour a custom rule, so the fault is planted on one of them.
    monkeypatch.setattr("funcgrad.train.compare.grad", lambda _: jax.grad(wrong_double))
    difference = gradient_difference(lambda x: 2 * x, jnp.float32(3.0))
    assert difference.absolute == 0.25
    assert difference.ulp == 0.25 / np.spacing(np.float32(2.25))


def test_the_largest_entry_of_all_leaves_is_the_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    params = {"large": jnp.float32([1024.0]), "small": jnp.float32([1.0, 2.0])}

    def shifted(_: object) -> object:
        return lambda tree: {"large": tree["large"], "small": tree["small"] + 2.0**-10}

    monkeypatch.setattr("funcgrad.train.compare.grad", shifted)
    loss = lambda tree: sum((leaf**2 / 2).sum() for leaf in tree.values())  # noqa: E731  new each time
    assert gradient_difference(loss, params) == (2.0**-10, 2.0**-10 / 2.0**-13)


def test_losses_are_compared_step_for_step() -> None:
    ours, theirs = (np.array(row, np.float32) for row in ([4, 2, 0, 1], [4, 1.5, 0, 1]))
    difference = loss_difference(ours, theirs)
    assert difference is not None
    assert (difference.largest, difference.step) == (0.25, 2)
    np.testing.assert_array_equal(difference.per_step, [0, 0.25, 0, 0])
    mirrored = loss_difference(theirs, ours)
    assert mirrored is not None
    assert mirrored.largest == 0.25


def test_a_nan_counts_as_the_largest_difference() -> None:
    difference = loss_difference(np.float32([1, 2]), np.float32([3, np.nan]))  # type: ignore[arg-type]  # numpy's stubs know no lists here
    assert difference is not None
    assert np.isnan(difference.largest)
    assert difference.step == 2


def test_no_loss_has_no_difference() -> None:
    assert loss_difference(np.empty(0, np.float32), np.empty(0, np.float32)) is None
