"""An audit from its options to its rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from .._errors import ConfigurationError
from ._crew import Crew
from ._file import Growing, check_writable, read_audit, rows_to_keep
from ._records import Audit, Header, Row
from ._select import select
from ._worker import Job, Setting

TIME_LIMIT = 180.0
DEVICES = ("cpu", "gpu", "tpu")


class Progress(NamedTuple):
    """How far an audit is.

    Attributes:
        done: so many rows are measured.
        total: of so many.
        row: the last one.
    """

    done: int
    total: int
    row: Row


def audit(
    only: Sequence[str] = (),
    dtypes: Sequence[str] = (),
    *,
    device: str = "cpu",
    seed: int = 0,
    jobs: int = 1,
    out: str | Path | None = None,
    resume: bool = False,
    imports: Sequence[str] = (),
    time_limit: float = TIME_LIMIT,
    progress: Callable[[Progress], None] | None = None,
) -> Audit:
    """Measure how accurate values and derivatives are, JAX's and ours, primitive by primitive.

    Every case of the rule table is evaluated in worker processes, so that a crash of XLA costs one
    part of a row. The references come from the CPU in 64 bits: values from the program with all of
    its numbers widened, derivatives from numerical differences with an error bound, or from an
    engine which these confirm.

    Args:
        only: names of primitives, families or topics; all if empty.
        dtypes: of the arguments, such as "float32"; all of "all"; by default float64,
            float32, bfloat16 and complex64, as far as a case is for them.
        device: "cpu", "gpu" or "tpu": where values and derivatives are measured.
        seed: of the points.
        jobs: how many processes measure at a time.
        out: a file that is written as the rows come, and at the end.
        resume: keep what `out` holds already, and measure the rest.
        imports: modules that the workers import first, which declare rules of your own with cases.
        time_limit: the seconds that one part of a row may take.
        progress: is called after each row.

    Returns:
        The rows by primitive, case and dtype, under a header with the versions and the machine.

    Raises:
        ConfigurationError: an argument means nothing, there is no such device, or `out` cannot be
            written or holds something else.

    >>> from funcgrad.audit import audit
    >>> result = audit(["sin"], ["float32"])  # doctest: +SKIP
    >>> result.rows[0].cell("funcgrad", "reverse").digits  # doctest: +SKIP
    7.2
    """
    check_numbers(device, jobs, time_limit)
    if resume and out is None:
        raise ConfigurationError("--resume goes on with the file of --out FILE.json; add --out")
    path = None if out is None else check_writable(out, "--out")
    earlier = (
        read_audit(path, "--resume") if resume and path is not None and path.exists() else None
    )
    crew = Crew(Setting(device, seed, tuple(imports)), jobs, time_limit)
    try:
        wanted = select(crew.offered.offers, only, dtypes)
        header = crew.offered.header
        kept = rows_to_keep(earlier, header, path or "") if earlier is not None else ()
        return _measured(crew, wanted, kept, header, Growing(path), progress)
    finally:
        crew.close()


def check_numbers(device: str, jobs: int, time_limit: float) -> None:
    """Raise for what no audit can be made with."""
    if device not in DEVICES:
        raise ConfigurationError(f"device {device!r}: choose from {', '.join(DEVICES)}")
    if jobs < 1:
        raise ConfigurationError(f"--jobs {jobs}: at least one process must measure")
    if not time_limit > 0:
        raise ConfigurationError(f"a time limit of {time_limit} seconds lets nothing end")


def _measured(
    crew: Crew, wanted: Sequence[Job], kept: Sequence[Row], header: Header, file: Growing,
    progress: Callable[[Progress], None] | None,
) -> Audit:  # fmt: skip
    rows = {row.key: row for row in kept}
    left = [_rest(job, rows) for job in wanted]
    left = [job for job in left if job.dtypes]
    total = len(rows) + sum(len(job.dtypes) for job in left)
    try:
        for row in crew.rows(left):
            rows[row.key] = row
            file.save(_ordered(header, rows))
            if progress is not None:
                progress(Progress(len(rows), total, row))
    except KeyboardInterrupt as stop:
        file.save(_ordered(header, rows), now=True)
        raise KeyboardInterrupt(f"interrupted: {len(rows)} of {total} rows are measured") from stop
    audited = _ordered(header, rows)
    file.save(audited, now=True)
    return audited


def _rest(job: Job, rows: dict[tuple[str, int, str], Row]) -> Job:
    done = {dtype for name, case, dtype in rows if (name, case) == _key(job)}
    return job._replace(dtypes=tuple(d for d in job.dtypes if d not in done))


def _key(job: Job) -> tuple[str, int]:
    return job.offer.primitive, job.offer.case


def _ordered(header: Header, rows: dict[tuple[str, int, str], Row]) -> Audit:
    return Audit(header, tuple(rows[key] for key in sorted(rows)))
