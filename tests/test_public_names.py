"""The public names: exactly these, each documented, with an example, and in the README."""

import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import funcgrad
from funcgrad import parallel, verify

ROOT = Path(__file__).parents[1]
NAMES = {
    "Descent",
    "Diagnosis",
    "Finding",
    "diagnose",
    "FuncgradError",
    "MissingRuleError",
    "Picture",
    "Step",
    "Tape",
    "accumulate_gradients",
    "assert_gradients",
    "check",
    "descend",
    "detach",
    "gd_step",
    "grad",
    "graph",
    "Graph",
    "gradient_descent",
    "hessian",
    "hvp",
    "inner_product",
    "jacrev",
    "merge",
    "minimize",
    "models",
    "partition",
    "register_vjp",
    "scan",
    "scan_cost",
    "tape",
    "tree_sum",
    "value_and_grad",
    "verify",
    "vjp",
}
VERIFY = {
    "Finding",
    "GradientError",
    "Report",
    "assert_gradients",
    "check",
    "check_optimizer",
    "check_over",
    "check_vjp_rule",
    "programs",
    "property_check",
    "reproducer",
    "strategies",
}
PARALLEL = {
    "CollectiveWarning",
    "RepeatedSum",
    "check_collectives",
    "gather",
    "join_processes",
    "largest_over_processes",
    "make_mesh",
    "parse_mesh",
    "put",
    "replicate",
    "shard_batch",
    "shard_params",
}


def test_the_public_names_are_exactly_these() -> None:
    assert set(funcgrad.__all__) == NAMES
    assert len(funcgrad.__all__) == len(NAMES)
    assert set(dir(funcgrad)) == NAMES | {"__version__"}


def test_type_checkers_see_the_same_names() -> None:
    source = (ROOT / "funcgrad" / "__init__.py").read_text()
    exported = re.findall(r"^    from \.\S* import \w+ as (\w+)$", source, re.MULTILINE)
    assert set(exported) == NAMES
    assert len(exported) == len(NAMES)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_name_loads_from_its_home(name: str) -> None:
    thing = getattr(funcgrad, name)
    if not isinstance(thing, ModuleType):
        assert thing.__name__ == name
        assert thing.__module__.startswith(("funcgrad._", "funcgrad.verify._"))


def test_the_names_of_verify_are_exactly_these() -> None:
    assert set(verify.__all__) == VERIFY
    assert set(dir(verify)) == VERIFY
    source = (ROOT / "funcgrad" / "verify" / "__init__.py").read_text()
    exported = re.findall(r"^    from \.\S* import \w+ as (\w+)$", source, re.MULTILINE)
    assert sorted(exported) == sorted(VERIFY)
    with pytest.raises(AttributeError, match=r"module 'funcgrad.verify' has no attribute 'chek'"):
        _ = verify.chek


@pytest.mark.parametrize("name", sorted(VERIFY))
def test_a_name_of_verify_loads_from_its_home(name: str) -> None:
    thing = getattr(verify, name)
    if not isinstance(thing, ModuleType):
        assert thing.__name__ == name
        assert thing.__module__.startswith(("funcgrad.verify._", "funcgrad.search._"))


def test_the_names_of_parallel_are_exactly_these() -> None:
    assert set(parallel.__all__) == PARALLEL
    assert len(parallel.__all__) == len(PARALLEL)


def test_another_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'funcgrad' has no attribute 'gradient'"):
        _ = funcgrad.gradient


def test_the_version_is_that_of_the_metadata() -> None:
    metadata = (ROOT / "pyproject.toml").read_text()
    assert f'\nversion = "{funcgrad.__version__}"\n' in metadata


# --- documentation --------------------------------------------------------------------------------


def lacking(thing: Any) -> list[str]:
    """What the docstring of a public thing lacks."""
    text = inspect.getdoc(thing) or ""
    found = [] if len(text.splitlines()) > 2 or isinstance(thing, ModuleType) else ["more"]
    if not isinstance(thing, ModuleType) and ">>>" not in text:
        found.append("an example")
    if inspect.isfunction(thing):
        taken = inspect.signature(thing).parameters
        named = [name for name in taken if not re.search(rf"\b{name}\b", text)]
        found += [f"the argument {name}" for name in named if not _elsewhere(text, name)]
    return found


def _elsewhere(text: str, name: str) -> bool:
    """Whether a docstring sends the reader to another one that describes the argument."""
    others = re.findall(r"(?:as for|those of) `(\w+)`", text)
    return any(re.search(rf"\b{name}\b", inspect.getdoc(getattr(funcgrad, o)) or "") or
               _elsewhere(inspect.getdoc(getattr(funcgrad, o)) or "", name)
               for o in others)  # fmt: skip


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_name_is_documented_with_an_example(name: str) -> None:
    assert not lacking(getattr(funcgrad, name))


@pytest.mark.parametrize(
    "name", sorted(name for name in PARALLEL if inspect.isfunction(getattr(parallel, name)))
)
def test_a_function_of_parallel_is_documented(name: str) -> None:
    assert not [gap for gap in lacking(getattr(parallel, name)) if gap != "an example"]


FUNCTIONS_OF_VERIFY = sorted(name for name in VERIFY if inspect.isfunction(getattr(verify, name)))


@pytest.mark.parametrize("name", FUNCTIONS_OF_VERIFY)
def test_a_function_of_verify_is_documented_with_an_example(name: str) -> None:
    assert not lacking(getattr(verify, name))


def test_a_gap_in_a_docstring_is_found() -> None:
    def bare(x: Any) -> Any:
        """Return it."""
        return x

    assert lacking(bare) == ["more", "an example", "the argument x"]


def missing_in(text: str, names: Iterable[str] = NAMES) -> set[str]:
    return {name for name in names if not re.search(rf"\b{name}\b", text)}


def test_every_name_is_in_the_readme() -> None:
    assert not missing_in((ROOT / "README.md").read_text())
    assert not missing_in((ROOT / "README.md").read_text(), VERIFY)
    assert not missing_in((ROOT / "README.md").read_text(), PARALLEL)


def test_a_name_that_the_readme_lacks_is_found() -> None:
    assert missing_in(" ".join(NAMES - {"hvp"}) + " hvpx") == {"hvp"}
