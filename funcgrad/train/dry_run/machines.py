"""Machines as a few numbers, and the model that says how long a step takes on them.

Without JAX, because the command line imports the options at once. What a step does on a device
takes as long as the slower of its arithmetic and its traffic with the device's memory,

    compute = max(operations / machine.operations, traffic / machine.memory)

and a collective that sends S bytes per device along a ring takes

    start + steps_inside * link_latency + steps_across * network_latency + S / bandwidth

where the ring of n devices on m islands has 2 (n - 1) steps for an all-reduce, of which 2 (m - 1)
leave an island; half as many for the others; one for a permutation. Its bandwidth is that of a
link, and across islands at most that of the network adapters of the members on an island together,
because as many rings run beside each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from funcgrad._errors import ConfigurationError


class Machine(NamedTuple):
    """What the model knows about a machine: bytes and operations a second, and seconds.

    Attributes:
        operations: of a device, in float32.
        memory: bytes a second between a device and its memory.
        capacity: bytes of that memory.
        island: devices that are linked directly, a host or a pod.
        link: bytes a second that a device sends to the others of its island.
        link_latency: seconds for a step of a ring inside an island.
        network: bytes a second that a device sends out of its island.
        network_latency: seconds for a step that leaves the island.
        start: seconds before the first step of a collective.
    """

    operations: float
    memory: float
    capacity: float
    island: int
    link: float
    link_latency: float
    network: float
    network_latency: float
    start: float


# Data sheets, one direction of each link. NVIDIA: "A100 Tensor Core GPU", "H100 ..." and "H200 ..."
# (float32 without tensor cores; NVLink's 600 and 900 GB/s are both directions together), and the
# user guides of DGX A100 (a 200 Gb/s adapter for each GPU), DGX H100 and H200 (400 Gb/s). The
# latencies are those of NCCL's own model for rings (src/graph/tuning.cc, hwLat and baseLat,
# protocol Simple). Google: "TPU v5e" (cloud.google.com/tpu/docs/v5e; 197 Tflop/s is bfloat16's, to
# which products of float32 are rounded there by default; 400 GB/s of links, both directions, and
# 6.4 Tb/s of network for a pod of 256). Its latencies are not published; a microsecond for a hop
# and NCCL's for the network are assumptions.
_NCCL_LINK, _NCCL_NETWORK, _NCCL_START = 3.4e-6, 9.6e-6, 8.4e-6
MACHINES: Mapping[str, Machine] = MappingProxyType(
    {
        "a100": Machine(
            19.5e12, 2.039e12, 80e9, 8, 300e9, _NCCL_LINK, 25e9, _NCCL_NETWORK, _NCCL_START
        ),
        "h100": Machine(
            67e12, 3.35e12, 80e9, 8, 450e9, _NCCL_LINK, 50e9, _NCCL_NETWORK, _NCCL_START
        ),
        "h200": Machine(
            67e12, 4.8e12, 141e9, 8, 450e9, _NCCL_LINK, 50e9, _NCCL_NETWORK, _NCCL_START
        ),
        "tpu-v5e": Machine(197e12, 819e9, 16e9, 256, 200e9, 1e-6, 3.125e9, _NCCL_NETWORK, 0.0),
    }
)


def find_machine(text: str) -> Machine:
    """Read a machine: a name, and numbers that replace some of its own.

    Raises:
        ConfigurationError: there is no such machine, or no such number.

    >>> find_machine("h200").island, find_machine("h200,island=4,network=25e9").network
    (8, 25000000000.0)
    """
    name, *changes = (part.strip() for part in text.split(","))
    if name not in MACHINES:
        raise ConfigurationError(
            f"there is no machine {name!r}; the known ones are {', '.join(MACHINES)}"
        )
    changed: dict[str, Any] = dict(_change(part, text) for part in changes)
    if "island" in changed:
        changed["island"] = int(changed["island"])
    return MACHINES[name]._replace(**changed)


def _change(part: str, text: str) -> tuple[str, float]:
    name, _, number = (word.strip() for word in part.partition("="))
    name = name.replace("-", "_")
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    least = 0.0 if name.endswith("latency") or name == "start" else 1.0
    if name not in Machine._fields or not least <= value < float("inf"):
        raise ConfigurationError(
            f"{part!r} in --machine {text} changes nothing that a machine has; give one of "
            f"{', '.join(Machine._fields)} and a positive number, for example network=25e9"
        )
    return name, value


def compute_seconds(machine: Machine, operations: float, traffic: float) -> float:
    """How long a step's own work takes on a device.

    >>> compute_seconds(find_machine("h200"), operations=67e6, traffic=4.8e6)
    1e-06
    """
    return max(operations / machine.operations, traffic / machine.memory)


def ring_seconds(machine: Machine, kind: str, group: Sequence[int], sent: float) -> float:
    """How long a collective takes.

    Args:
        machine: on which.
        kind: as of `funcgrad.train.communication.Collective`.
        group: the numbers of the devices that take part; `machine.island` of them in order are an
            island.
        sent: the bytes that each of them sends.

    >>> simple = find_machine("h200,link-latency=1,network-latency=100,start=0,link=1,network=1")
    >>> ring_seconds(simple, "all-reduce", range(8), sent=0)
    14.0
    >>> ring_seconds(simple, "all-gather", [0, 8], sent=5)
    105.0
    """
    islands = [device // machine.island for device in group]
    members, across = len(islands), len(set(islands))
    if members == 1:
        return 0.0
    if kind in ("collective-permute", "collective-broadcast"):
        inside, outside = (0, 1) if across > 1 else (1, 0)
    else:
        rounds = 2 if kind == "all-reduce" else 1
        inside, outside = rounds * (members - across), rounds * (across - 1)
    fewest = min(islands.count(island) for island in set(islands))
    bandwidth = machine.link if across == 1 else min(machine.link, fewest * machine.network)
    latency = inside * machine.link_latency + outside * machine.network_latency
    return machine.start + latency + sent / bandwidth
