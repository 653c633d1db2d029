from funcgrad import models


def test_the_public_names_are_these() -> None:
    names = {
        "Dataset", "accuracy", "diabetes", "digits", "init_linear", "init_widenet", "linear",
        "mean_squared_error", "noisy_sine", "read_csv", "relu", "sequential", "simple_graph",
        "simple_graph_gradients_by_hand", "simple_graph_loss", "softmax_cross_entropy", "tanh",
        "widenet", "widenet_loss", "widenet_specs",
    }  # fmt: skip
    assert set(models.__all__) == names
    assert all(getattr(models, name).__doc__ for name in names)
