"""Hypothesis, or a message that says how to get it."""

from __future__ import annotations

from .._errors import ConfigurationError

__all__ = ["hypothesis", "st"]

try:
    import hypothesis
    from hypothesis import strategies as st
except ImportError as error:
    raise ConfigurationError(
        f"strategies and property checks need Hypothesis, which cannot be imported ({error}); "
        f'install it by pip install "funcgrad[verify]"'
    ) from error
