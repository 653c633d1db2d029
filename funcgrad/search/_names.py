"""Findings in words."""

from __future__ import annotations

_WHO = {
    "ours": "funcgrad's",
    "jax": "JAX's",
    "value": "the",
    "both": "JAX's and funcgrad's",
    "undecided": "funcgrad's or JAX's",
}
_KIND = {
    "wrong": "is wrong",
    "nan": "is not finite",
    "crash": "raises an error",
    "shape": "has a wrong shape",
    "dtype": "has a wrong dtype",
    "unstable": "varies",
    "abort": "ends the process",
    "hang": "does not end",
}


def title(who: str, kind: str, what: str) -> str:
    """A finding in a line.

    >>> title("ours", "wrong", "second derivative")
    "funcgrad's second derivative is wrong"
    """
    text = f"{_WHO[who]} {what} {_KIND[kind]}"
    return text if who == "ours" else text[0].upper() + text[1:]
