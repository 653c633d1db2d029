"""Networks, losses and data as pure functions: what the engine is shown on and tested with.

The same networks in Flax are in `funcgrad.models.flax_nnx` and `funcgrad.models.flax_linen`, which
are imported on demand, because Flax is optional.
"""

from __future__ import annotations

from .data import Dataset as Dataset
from .data import diabetes as diabetes
from .data import digits as digits
from .data import noisy_sine as noisy_sine
from .data import read_csv as read_csv
from .layers import init_linear as init_linear
from .layers import linear as linear
from .layers import relu as relu
from .layers import sequential as sequential
from .layers import tanh as tanh
from .losses import accuracy as accuracy
from .losses import mean_squared_error as mean_squared_error
from .losses import softmax_cross_entropy as softmax_cross_entropy
from .simple_graph import simple_graph as simple_graph
from .simple_graph import simple_graph_gradients_by_hand as simple_graph_gradients_by_hand
from .simple_graph import simple_graph_loss as simple_graph_loss
from .widenet import init_widenet as init_widenet
from .widenet import widenet as widenet
from .widenet import widenet_loss as widenet_loss
from .widenet import widenet_specs as widenet_specs

__all__ = [
    "Dataset",
    "accuracy",
    "diabetes",
    "digits",
    "init_linear",
    "init_widenet",
    "linear",
    "mean_squared_error",
    "noisy_sine",
    "read_csv",
    "relu",
    "sequential",
    "simple_graph",
    "simple_graph_gradients_by_hand",
    "simple_graph_loss",
    "softmax_cross_entropy",
    "tanh",
    "widenet",
    "widenet_loss",
    "widenet_specs",
]
