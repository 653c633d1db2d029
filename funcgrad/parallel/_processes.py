"""Several processes that run one program: how they meet, and how they agree."""

from __future__ import annotations

import jax
import numpy as np
from jax.experimental import multihost_utils

from funcgrad._errors import ConfigurationError


def join_processes(
    coordinator: str | None = None,
    process_id: int | None = None,
    num_processes: int | None = None,
    *,
    timeout: int = 60,
) -> None:
    """Meet the other processes of a run through `jax.distributed`; on the CPU they talk by gloo.

    Args:
        coordinator: `"HOST:PORT"` at which process 0 listens; None to learn all three from the
            cluster that started the processes, as far as `jax.distributed.initialize` knows it.
        process_id: the number of this one, from 0.
        num_processes: how many there are.
        timeout: seconds to wait for the others to come, and without a sign of life from one of
            them. JAX then ends this process, which cannot be caught.

    Raises:
        ConfigurationError: the environment is none of a known cluster, or the meeting failed.
    """
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        jax.distributed.initialize(
            coordinator, num_processes, process_id, initialization_timeout=timeout,
            heartbeat_timeout_seconds=timeout, shutdown_timeout_seconds=timeout,
        )  # fmt: skip
    except (RuntimeError, ValueError) as error:
        where = "the environment" if coordinator is None else coordinator
        raise ConfigurationError(
            f"the processes cannot meet through {where} ({str(error).splitlines()[0]}); give "
            "--coordinator HOST:PORT --process-id I --num-processes N"
        ) from error


def largest_over_processes(*numbers: int) -> tuple[int, ...]:
    """The largest of each of the numbers, int32, over all processes, in every one of them.

    >>> largest_over_processes(3, 5)
    (3, 5)
    """
    if jax.process_count() == 1:
        return numbers
    gathered = multihost_utils.process_allgather(np.array(numbers, np.int32))
    return tuple(int(number) for number in np.max(gathered, axis=0))
