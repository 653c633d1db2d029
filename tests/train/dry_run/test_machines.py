"""The model, against formulas by hand."""

import pytest

from funcgrad._errors import ConfigurationError
from funcgrad.train.dry_run.machines import MACHINES, compute_seconds, find_machine, ring_seconds

S = 1e9
H200 = MACHINES["h200"]


@pytest.mark.parametrize("name", MACHINES)
def test_a_machine_is_made_of_positive_numbers(name: str) -> None:
    machine = find_machine(name)
    assert all(value > 0 for key, value in machine._asdict().items() if key != "start")
    assert machine.network < machine.link < machine.memory < machine.operations


def test_numbers_of_ones_own() -> None:
    changed = find_machine("a100, network = 5e10, link-latency=0, island=16")
    assert changed == MACHINES["a100"]._replace(network=5e10, link_latency=0.0, island=16)
    assert isinstance(changed.island, int)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("h300", "no machine 'h300'; the known ones are a100, h100, h200, tpu-v5e"),
        ("", "no machine ''"),
        ("h200,links=3", "'links=3' in --machine h200,links=3 changes nothing"),
        ("h200,link", "'link' in --machine h200,link changes nothing"),
        ("h200,link=fast", "give one of operations, memory, capacity"),
        ("h200,link=0", "a positive number"),
        ("h200,start=-1", "a positive number"),
        ("h200,memory=nan", "a positive number"),
        ("h200,memory=inf", "a positive number"),
    ],
)
def test_what_is_no_machine_is_told(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        find_machine(text)


def test_a_device_is_as_fast_as_its_slower_half() -> None:
    assert compute_seconds(H200, 67e12, 0) == 1
    assert compute_seconds(H200, 67e12, 9.6e12) == 2


@pytest.mark.parametrize("members", [2, 4, 8])
def test_a_ring_inside_a_host(members: int) -> None:
    steps = 2 * (members - 1)
    expected = 8.4e-6 + steps * 3.4e-6 + S / 450e9
    assert ring_seconds(H200, "all-reduce", range(members), S) == pytest.approx(expected)
    expected = 8.4e-6 + steps / 2 * 3.4e-6 + S / 450e9
    assert ring_seconds(H200, "reduce-scatter", range(members), S) == pytest.approx(expected)


def test_a_ring_over_whole_hosts_has_all_their_adapters() -> None:
    steps, across = 2 * 255, 2 * 31
    expected = 8.4e-6 + (steps - across) * 3.4e-6 + across * 9.6e-6 + S / (8 * 50e9)
    assert ring_seconds(H200, "all-reduce", range(256), S) == pytest.approx(expected)


def test_a_ring_over_one_device_of_each_host_has_one_adapter() -> None:
    expected = 8.4e-6 + 2 * 3 * 9.6e-6 + S / 50e9
    assert ring_seconds(H200, "all-reduce", range(0, 32, 8), S) == pytest.approx(expected)


def test_a_permutation_is_one_step() -> None:
    inside = ring_seconds(H200, "collective-permute", (0, 1), S)
    assert inside == pytest.approx(8.4e-6 + 3.4e-6 + S / 450e9)
    outside = ring_seconds(H200, "collective-permute", (0, 9), S)
    assert outside == pytest.approx(8.4e-6 + 9.6e-6 + S / 50e9)


def test_one_device_has_nobody_to_talk_to() -> None:
    assert ring_seconds(H200, "all-reduce", (3,), S) == 0


def test_more_bytes_and_more_devices_take_longer() -> None:
    times = [ring_seconds(H200, "all-reduce", range(n), S) for n in (2, 8, 16, 64, 256)]
    assert times == sorted(times)
    assert ring_seconds(H200, "all-reduce", range(8), 2 * S) > times[1]
