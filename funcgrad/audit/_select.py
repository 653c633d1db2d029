"""Which of the cases are audited."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from .._errors import ConfigurationError
from ._records import DTYPES, USUAL_DTYPES
from ._worker import Job, Offer

ALL = "all"


def select(offers: Sequence[Offer], only: Sequence[str], dtypes: Sequence[str]) -> list[Job]:
    """The jobs of an audit.

    Args:
        offers: all cases.
        only: names of primitives, families (elementwise, linear, ...) or topics (the modules of the
            rules: decompositions, sorting, ...); all if empty.
        dtypes: of the arguments; "all", or the usual ones if empty.

    Raises:
        ConfigurationError: a name or a dtype means nothing, or nothing is left.
    """
    for name in only:
        _known(name, offers)
    for dtype in dtypes:
        if dtype not in (*DTYPES, ALL):
            raise ConfigurationError(f"dtype {dtype!r}: choose from {', '.join((*DTYPES, ALL))}")
    chosen = DTYPES if ALL in dtypes else dtypes or USUAL_DTYPES
    jobs = [
        Job(offer, tuple(d for d in offer.dtypes if d in chosen))
        for offer in offers
        if not only or not {offer.primitive, offer.family, offer.topic}.isdisjoint(only)
    ]
    jobs = [job for job in jobs if job.dtypes]
    if not jobs:
        raise ConfigurationError(
            f"none of {', '.join(only) or 'the cases'} is for {', '.join(dtypes)}; "
            "leave out --dtype to see for which they are"
        )
    return jobs


def _known(name: str, offers: Sequence[Offer]) -> None:
    names = {o.primitive for o in offers} | {o.family for o in offers} | {o.topic for o in offers}
    if name in names:
        return
    close = difflib.get_close_matches(name, sorted(names), 3)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    raise ConfigurationError(
        f"--only {name}: no primitive with a case, family or topic has that name{hint} "
        "(`funcgrad rules` lists primitives and families)"
    )
