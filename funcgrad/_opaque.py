"""Values that ride along in a pytree."""

from __future__ import annotations

from typing import Any

import jax


class Opaque:
    """A value that a pytree carries in its structure and not as a leaf; compared by content."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Opaque) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)

    def __repr__(self) -> str:
        return f"Opaque({self.value!r})"


jax.tree_util.register_pytree_node(Opaque, lambda opaque: ((), opaque), lambda opaque, _: opaque)
