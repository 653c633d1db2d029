"""How nodes, edges and graphs show themselves: in a console, in rich, in a notebook's treescope."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


class Shown:
    """Something with a few attributes that say what it is.

    A subclass gives `_facts`, from which come the lines of rich and of treescope; both would
    otherwise print every field, and so the whole graph for each of its nodes.
    """

    __slots__ = ()

    def _facts(self) -> Mapping[str, Any]:
        raise NotImplementedError

    def __dir__(self) -> list[str]:
        """The attributes for people, without those of the machinery."""
        names = {name for kind in type(self).__mro__[:-1] for name in vars(kind)}
        names |= set(getattr(self, "__dataclass_fields__", ()))
        hidden = getattr(self, "_MACHINERY", ())
        return sorted(name for name in names if name[0] != "_" and name not in hidden)

    def __rich_repr__(self) -> Iterator[tuple[str, Any]]:
        yield from self._facts().items()

    def __treescope_repr__(self, path: str | None, subtree_renderer: Any) -> Any:
        from treescope import repr_lib  # noqa: PLC0415 -- optional, and loaded by now

        return repr_lib.render_object_constructor(
            type(self), self._facts(), path, subtree_renderer, roundtrippable=False
        )
