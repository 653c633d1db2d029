"""Every exception that funcgrad raises on purpose.

A message says what was received, what was expected, where, and what to do next. Each class also
derives from the built-in exception that JAX or Python would raise for the same mistake, so that
code which catches ``TypeError`` or ``ValueError`` keeps working.
"""

from __future__ import annotations

__all__ = [
    "ArgumentNumberError",
    "CheckpointError",
    "CollectiveError",
    "ConfigurationError",
    "DataError",
    "DivergedError",
    "FuncgradError",
    "GradientTypeError",
    "GradientValueError",
    "MissingRuleError",
    "ProcessLostError",
    "RuleError",
    "TapeError",
    "TraceEndedError",
    "TreeError",
    "UnknownParameterError",
]


class FuncgradError(Exception):
    """The base of all errors of this package.

    Each also derives from the built-in exception that JAX or Python raises for the same mistake.

    >>> import funcgrad
    >>> try:
    ...     funcgrad.grad(lambda x: x)(3)
    ... except funcgrad.FuncgradError as error:
    ...     print(type(error).__name__, isinstance(error, TypeError))
    GradientTypeError True
    """


class GradientTypeError(FuncgradError, TypeError):
    """A value of the wrong type or dtype was given to a transform."""


class GradientValueError(FuncgradError, ValueError):
    """A value of the right type but an impossible content was given to a transform."""


class ArgumentNumberError(GradientTypeError, GradientValueError):
    """`argnums` does not fit the call: JAX's `grad` raises TypeError, its `jacrev` ValueError."""


class TreeError(FuncgradError, ValueError):
    """Two pytrees that must have one structure differ."""


class TapeError(FuncgradError, ValueError):
    """A recorded tape is not well formed."""


class RuleError(FuncgradError, ValueError):
    """A VJP rule was declared wrongly, or declared twice."""


class MissingRuleError(FuncgradError, NotImplementedError):
    """A gradient has to pass through a primitive that has no VJP rule.

    The message names the primitive and the line that applied it. `register_vjp` adds a rule;
    `detach` cuts a value off before the primitive.

    >>> import funcgrad
    >>> from jax.extend.core import Primitive
    >>> nameless = Primitive("nameless")
    >>> _ = nameless.def_abstract_eval(lambda x: x)
    >>> try:
    ...     funcgrad.grad(nameless.bind)(1.0)
    ... except funcgrad.MissingRuleError as error:
    ...     print(str(error)[:42])
    no VJP rule: primitive `nameless` has none
    """


class UnknownParameterError(FuncgradError, NotImplementedError):
    """A primitive came with a parameter that its VJP rule does not know."""


class ConfigurationError(FuncgradError, ValueError):
    """An option of a run is impossible, or an optional package is missing."""


class CollectiveError(FuncgradError, ValueError):
    """A sum over the devices of a mesh is taken twice."""


class DataError(FuncgradError, ValueError):
    """Data that a user supplied cannot be used."""


class CheckpointError(FuncgradError, ValueError):
    """A checkpoint cannot be written, or is none that this run can go on from."""


class ProcessLostError(FuncgradError, RuntimeError):
    """One of the processes of a run has ended, or cannot be reached."""


class TraceEndedError(FuncgradError, TypeError):
    """A pullback was called outside of the transformation whose values it holds."""


class DivergedError(FuncgradError, ArithmeticError):
    """A run's loss is no longer finite."""


class RunInterrupted(KeyboardInterrupt):
    """A signal ended a run after its results were written.

    Attributes:
        signal: its number.
    """

    def __init__(self, message: str, signal: int) -> None:
        super().__init__(message)
        self.signal = signal
