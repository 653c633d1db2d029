"""The table of mistakes that users make, each with the error that it has to give.

python -m tests.mistakes.table

prints the first line of each error, and JAX's own for the same mistake where it has one.
"""

from __future__ import annotations

from tests.mistakes.descent import DESCENTS
from tests.mistakes.kinds import Mistake, raised
from tests.mistakes.transforms import TRANSFORMS

MISTAKES: tuple[Mistake, ...] = (*TRANSFORMS, *DESCENTS)


def main() -> int:
    for mistake in MISTAKES:
        mine = raised(mistake.call)
        print(f"{mistake.name}\n  {type(mine).__name__}: {str(mine).splitlines()[0]}")
        if mistake.jax is not None and (theirs := raised(mistake.jax)) is not None:
            print(f"  JAX: {type(theirs).__name__}: {(str(theirs).splitlines() or [''])[0][:100]}")
    compared = sum(mistake.jax is not None for mistake in MISTAKES)
    print(f"{len(MISTAKES)} mistakes, {compared} of them with JAX's own error beside ours")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
