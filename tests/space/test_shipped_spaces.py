"""The space files that are shipped, and the examples of their README."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import yaml

from bench import content
from bench.networks.cost import cost_quantities
from bench.space import count, estimate_valid, every, load_space, parse_space
from bench.space.vocabulary import FAMILIES

README = (content.folder("search_spaces") / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)
BASE = {"name": "example", "family": "fastvit", "every_stage": {"depth": 1, "width": 16, "mlp_ratio": 2}}


@pytest.mark.parametrize("name", ["fastvit", "smoke", "mobileone", "efficientnet", "convnext", "cmt"])
def test_reference_points_are_among_the_choices_and_obey_the_rules(name: str) -> None:
    space = load_space(name)
    assert space.reference_points
    for point in space.reference_points.values():
        assert space.outside(point) == ()
        assert space.broken_rules(point, cost_quantities) == ()


def test_fastvit_holds_the_published_networks() -> None:
    """What each costs is told in tests/networks/test_cost.py."""
    space = load_space("fastvit")
    assert list(space.reference_points) == [
        f"fastvit_{variant}" for variant in ("t8", "t12", "s12", "sa12", "sa24", "sa36", "ma36")
    ]
    assert {point.settings["input_resolution"] for point in space.reference_points.values()} == {256}
    assert space.rules == ("params_m <= 45", "macs_g <= 8", "non_decreasing(width)")


def test_smoke_has_a_few_dozen_architectures() -> None:
    space = load_space("smoke")
    valid = list(every(space, cost_quantities))
    assert 24 <= len(valid) < count(space) <= 200
    assert estimate_valid(space, cost_quantities).estimate == len(valid)


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_example_of_the_readme_loads(example: str) -> None:
    fragment = yaml.safe_load(example)
    if "networks" in fragment:
        assert list(parse_space(example, source="README.md").reference_points) == fragment["networks"]
        return
    # What names its family is whole.
    space = parse_space(yaml.safe_dump(fragment if "family" in fragment else {**BASE, **fragment}), source="README.md")
    assert count(space) > 1 or "reference_points" in fragment
    assert len(space.rules) == len(fragment.get("rules", ()))


def test_the_readme_names_every_word() -> None:
    assert len(EXAMPLES) >= 5
    for family in FAMILIES.values():
        section = README.partition(f"## Words of `{family.name}`")[2].partition("\n## ")[0]
        named = re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE)
        assert named == [word.name for word in (*family.settings, *family.stage)]


def test_importing_spaces_is_light() -> None:
    heavy = "torch, ray, plotly, sqlalchemy, scipy, optuna"
    script = f"import sys, bench.space; print([m for m in '{heavy}'.split(', ') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
