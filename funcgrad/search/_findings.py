"""What a search found: one entry for each defect, however often it was met."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import _workers as workers
from ._verdicts import ABORT, CRASH, HANG, SEARCH, VALUE, title

Label = tuple[str, str, str]
Key = tuple[Label, tuple[str, ...]]
_LOST = {
    workers.DIED: (VALUE, ABORT, "value"),
    workers.HUNG: (VALUE, HANG, "value"),
    workers.FAILED: (SEARCH, CRASH, "work"),
}
_LOST_TEST = '''"""{title}: {detail}.

Seed {seed}, program {number} of `funcgrad fuzz`, in {dtype}.
"""

import funcgrad
{source}

def test_it_ends_well():
    f(*arguments)
    jax.grad(f)(*arguments)
    funcgrad.grad(f)(*arguments)
'''


@dataclasses.dataclass(frozen=True)
class Finding:
    """A disagreement between oracles, shrunk.

    Attributes:
        who: whose answer is wrong: "ours", "jax", "both", "value", "undecided" or "search".
        kind: "wrong", "nan", "crash", "shape", "dtype", "unstable", "abort" or "hang".
        what: the quantity.
        text: what was seen.
        operations: the names of those in the small program.
        source: the small program.
        test: it as a pytest file.
        drawn: how many operations the program had before it was shrunk.
        number: which program of the search it was.
        count: how often the same was met.
    """

    who: str
    kind: str
    what: str
    text: str
    operations: tuple[str, ...]
    source: str
    test: str
    drawn: int
    number: int
    count: int = 1

    @property
    def key(self) -> Key:
        """What two sightings of one defect share."""
        return (self.who, self.kind, self.what), self.operations

    @property
    def title(self) -> str:
        """The finding in a line."""
        return title(self.who, self.kind, self.what)

    @property
    def file_name(self) -> str:
        """The name of its pytest file."""
        words = "_".join(["test", self.who, self.kind, self.what, *self.operations[:4]]).lower()
        return re.sub(r"[^a-z0-9]+", "_", words) + f"_{self.number}.py"

    def to_json(self) -> dict[str, Any]:
        """Its attributes."""
        return dataclasses.asdict(self)


class Ledger:
    """The findings of a search."""

    def __init__(self, entries: Sequence[Mapping[str, Any]] = ()) -> None:
        found = [Finding(**{**e, "operations": tuple(e["operations"])}) for e in entries]
        self._found = {finding.key: finding for finding in found}

    def findings(self) -> tuple[Finding, ...]:
        """All of them, the most frequent first."""
        return tuple(sorted(self._found.values(), key=lambda f: (-f.count, f.number)))

    def known(self) -> tuple[Key, ...]:
        """What need not be shrunk again."""
        return tuple(self._found)

    def count(self, key: Key) -> None:
        """One that is known was met again."""
        found = self._found[key]
        self._found[key] = dataclasses.replace(found, count=found.count + 1)

    def enter(self, sighting: Any) -> bool:
        """A sighting of a worker's; whether it is new."""
        key = (sighting.label, sighting.operations)
        if key in self._found:
            self.count(key)
            return False
        who, kind, what = sighting.label
        self._found[key] = Finding(who, kind, what, *sighting[1:])
        return True

    def enter_lost(self, outcome: workers.Outcome) -> bool:
        """A program at which a process failed, died or came to no end; whether it is new."""
        source, dtype = outcome.result or ("nothing was drawn yet", "")
        who, kind, what = _LOST[outcome.kind]
        seed, number = outcome.task.seed, outcome.task.number
        test = _LOST_TEST.format(
            title=title(who, kind, what), detail=outcome.detail.replace("\\", "/"), seed=seed,
            number=number, dtype=dtype, source=source,
        )  # fmt: skip
        test += "".join(f"# {line}\n" for line in outcome.trace.splitlines())
        found = Finding(
            who, kind, what, outcome.detail, (f"program {number}",), source, test, 0, number
        )
        is_new = found.key not in self._found
        self._found.setdefault(found.key, found)
        return is_new

    def to_json(self) -> list[dict[str, Any]]:
        return [finding.to_json() for finding in self._found.values()]

    def write(self, folder: Path) -> None:
        """A pytest file for each."""
        for finding in self._found.values():
            path = folder / finding.file_name
            if not path.exists():
                path.write_text(finding.test, encoding="utf-8")
