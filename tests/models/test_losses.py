from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from funcgrad._errors import GradientTypeError, GradientValueError
from funcgrad.models import accuracy, mean_squared_error, softmax_cross_entropy

Floats = NDArray[np.float32]
NUMBERS = st.floats(-100, 100, width=32, allow_subnormal=False)
SHAPES = st.sampled_from([(), (1,), (3,), (4, 1), (2, 3)])  # few, since each is compiled once


def same_shape(draw_from: st.SearchStrategy[float] = NUMBERS) -> st.SearchStrategy[list[Floats]]:
    def pair(shape: tuple[int, ...]) -> st.SearchStrategy[list[Floats]]:
        array = hnp.arrays(np.float32, shape, elements=draw_from)
        return st.lists(array, min_size=2, max_size=2)

    return SHAPES.flatmap(pair)


@st.composite
def classified(draw: st.DrawFn) -> tuple[Floats, NDArray[np.int32]]:
    shape = draw(st.sampled_from([(3,), (1, 1), (4, 3), (2, 2, 5)]))
    logits = draw(hnp.arrays(np.float32, shape, elements=NUMBERS))
    labels = draw(hnp.arrays(np.int32, shape[:-1], elements=st.integers(0, shape[-1] - 1)))
    return logits, labels


def cross_entropy_of_numpy(logits: Floats, labels: NDArray[np.int32]) -> float:
    rows, classes = logits.astype(np.float64).reshape(-1, logits.shape[-1]), labels.reshape(-1)
    losses = [np.log(np.sum(np.exp(row - row[c]))) for row, c in zip(rows, classes, strict=True)]
    return float(np.mean(losses))


@given(same_shape())
def test_mean_squared_error_is_the_formula(pair: list[Floats]) -> None:
    prediction, target = pair
    expected = np.mean((prediction.astype(np.float64) - target) ** 2)
    loss = mean_squared_error(jnp.asarray(prediction), jnp.asarray(target))
    assert loss.shape == ()
    np.testing.assert_allclose(loss, expected, rtol=1e-5, atol=1e-30)  # squares underflow


def test_mean_squared_error_of_nothing_wrong_is_zero_and_of_something_is_not() -> None:
    y = jnp.array([[1.0], [2.0]])
    assert float(mean_squared_error(y, y)) == 0
    assert float(mean_squared_error(y, y + 1)) == 1


@pytest.mark.parametrize(
    ("left", "right"), [((3,), (3, 1)), ((3, 1), (3,)), ((2,), ()), ((1,), ())]
)
def test_mean_squared_error_never_broadcasts(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    with pytest.raises(GradientValueError, match=r"shape \(.*a target of shape \(.*must be equal"):
        mean_squared_error(jnp.ones(left), jnp.ones(right))
    with pytest.raises(GradientValueError, match="must be equal"):
        jax.jit(mean_squared_error)(jnp.ones(left), jnp.ones(right))


def test_mean_squared_error_needs_an_entry() -> None:
    with pytest.raises(GradientValueError, match=r"prediction of shape \(0, 1\): the mean of no"):
        mean_squared_error(jnp.ones((0, 1)), jnp.ones((0, 1)))


@given(classified())
def test_cross_entropy_is_the_formula(example: tuple[Floats, NDArray[np.int32]]) -> None:
    logits, labels = example
    loss = softmax_cross_entropy(jnp.asarray(logits), jnp.asarray(labels))
    assert loss.shape == ()
    expected = cross_entropy_of_numpy(logits, labels)
    np.testing.assert_allclose(loss, expected, rtol=1e-5, atol=1e-5)


@given(classified(), st.floats(-1000, 1000, width=32, allow_subnormal=False))
def test_cross_entropy_ignores_a_common_shift(
    example: tuple[Floats, NDArray[np.int32]], shift: float
) -> None:
    logits, labels = (jnp.asarray(part) for part in example)
    shifted = softmax_cross_entropy(logits + shift, labels)
    np.testing.assert_allclose(shifted, softmax_cross_entropy(logits, labels), rtol=1e-3, atol=1e-3)


@given(classified())
def test_gradient_of_cross_entropy_is_softmax_minus_one_hot(
    example: tuple[Floats, NDArray[np.int32]],
) -> None:
    logits, labels = (jnp.asarray(part) for part in example)
    one_hot = np.eye(logits.shape[-1], dtype=np.float32)[np.asarray(labels)]
    expected = (np.asarray(jax.nn.softmax(logits)) - one_hot) / max(labels.size, 1)
    np.testing.assert_allclose(
        jax.grad(softmax_cross_entropy)(logits, labels), expected, rtol=1e-4, atol=1e-6
    )


def test_cross_entropy_is_that_of_pytorch() -> None:
    logits = jnp.array(
        [
            [2.4098281860351562, 0.5245001316070557, 0.26693427562713623],
            [-1.8411540985107422, 0.13854734599590302, -4.1047773361206055],
            [1.0124852657318115, 3.0333476066589355, -4.305538177490234],
            [2.932295322418213, 1.5661499500274658, 3.713750123977661],
        ]
    )
    loss = softmax_cross_entropy(logits, jnp.array([0, 2, 1, 1]))
    assert float(loss) == pytest.approx(1.8375284671783447, rel=1e-6)


def test_cross_entropy_of_huge_logits_is_finite() -> None:
    logits = jnp.array([[1e30, -1e30], [-1e30, -1e30]])
    assert float(softmax_cross_entropy(logits, jnp.array([0, 0]))) == pytest.approx(np.log(2) / 2)
    assert np.isfinite(jax.grad(softmax_cross_entropy)(logits, jnp.array([0, 0]))).all()


def test_a_class_that_is_ruled_out_costs_nothing_unless_it_is_the_label() -> None:
    logits = jnp.array([[0.0, -jnp.inf]])
    assert float(softmax_cross_entropy(logits, jnp.array([0]))) == 0
    assert float(softmax_cross_entropy(logits, jnp.array([1]))) == np.inf


@given(classified())
def test_accuracy_counts_the_rows_that_are_right(
    example: tuple[Floats, NDArray[np.int32]],
) -> None:
    logits, labels = example
    expected = np.mean(np.argmax(logits, -1) == labels)
    share = accuracy(jnp.asarray(logits), jnp.asarray(labels))
    np.testing.assert_allclose(share, expected, rtol=1e-6)


BOTH = pytest.mark.parametrize("judge", [softmax_cross_entropy, accuracy])
Judge = Callable[[jax.Array, jax.Array], jax.Array]


@BOTH
@pytest.mark.parametrize("labels", [jnp.zeros(2), jnp.zeros(2, bool)])
def test_labels_are_integers(judge: Judge, labels: jax.Array) -> None:
    with pytest.raises(GradientTypeError, match=f"{judge.__name__} needs integer labels.*argmax"):
        judge(jnp.ones((2, 3)), labels)


@BOTH
@pytest.mark.parametrize(
    ("logits", "labels"), [((2, 3), (2, 1)), ((2, 3), ()), ((), ()), ((3,), (3,))]
)
def test_labels_have_the_shape_of_the_examples(
    judge: Judge, logits: tuple[int, ...], labels: tuple[int, ...]
) -> None:
    message = f"{judge.__name__} got logits of shape .* and labels of shape .* without its last"
    with pytest.raises(GradientValueError, match=message):
        judge(jnp.ones(logits), jnp.zeros(labels, int))


@BOTH
@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_there_are_examples_and_classes(judge: Judge, shape: tuple[int, ...]) -> None:
    with pytest.raises(GradientValueError, match=rf"{judge.__name__} got logits of shape \("):
        judge(jnp.ones(shape), jnp.zeros(shape[:-1], int))


@BOTH
@pytest.mark.parametrize(("least", "largest"), [(-1, 2), (0, 3)])
def test_a_label_that_is_no_class_is_named(judge: Judge, least: int, largest: int) -> None:
    message = f"{judge.__name__} got labels from {least} to {largest} for 3 classes"
    with pytest.raises(GradientValueError, match=message):
        judge(jnp.ones((2, 3)), jnp.array([least, largest]))


@pytest.mark.parametrize("label", [-1, 3])
def test_inside_jit_such_a_label_makes_the_loss_nan(label: int) -> None:
    loss = jax.jit(softmax_cross_entropy)
    assert np.isnan(loss(jnp.ones((2, 3)), jnp.array([0, label])))
    assert np.isfinite(loss(jnp.ones((2, 3)), jnp.array([0, 2])))


@BOTH
def test_inside_jit_known_labels_are_still_checked(judge: Judge) -> None:
    known, wrong = jnp.array([0, 2]), jnp.array([0, 3])
    assert np.isfinite(jax.jit(lambda logits: judge(logits, known))(jnp.ones((2, 3))))
    with pytest.raises(GradientValueError, match="labels from 0 to 3 for 3 classes"):
        jax.jit(lambda logits: judge(logits, wrong))(jnp.ones((2, 3)))


@pytest.mark.parametrize("dtype", [jnp.int8, jnp.uint8, jnp.int32, jnp.uint32])
def test_narrow_labels_serve_many_classes(dtype: jnp.dtype) -> None:
    logits, labels = jnp.eye(100, 300) * 50, jnp.arange(100, dtype=dtype)
    assert float(accuracy(logits, labels)) == 1
    assert float(softmax_cross_entropy(logits, labels)) == pytest.approx(0, abs=1e-6)
    assert float(jax.jit(softmax_cross_entropy)(logits, labels)) == pytest.approx(0, abs=1e-6)


def test_cross_entropy_needs_floating_logits() -> None:
    with pytest.raises(GradientTypeError, match="needs floating logits, got int32"):
        softmax_cross_entropy(jnp.ones((2, 3), jnp.int32), jnp.zeros(2, int))
