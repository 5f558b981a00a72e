"""The space files that are shipped, and the examples of their README."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import yaml

from bench import content
from bench.networks.cost import cost_quantities, costs
from bench.space import count, estimate_valid, every, load_space, parse_space
from bench.space.vocabulary import FAMILIES

README = (content.folder("search_spaces") / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)
BASE = {"name": "example", "family": "fastvit", "every_stage": {"depth": 1, "width": 16, "mlp_ratio": 2}}

# Parameters in train form and MACs: github apple/ml-fastvit @ 8af59282 and timm 1.0.31, 256 x 256, counted with
# torch's FlopCounterMode (unfused attention).
PUBLISHED = {
    "fastvit_t8": (4_026_232, 690.1),
    "fastvit_t12": (7_553_704, 1397.7),
    "fastvit_s12": (9_473_576, 1800.4),
    "fastvit_sa12": (11_580_968, 1943.9),
    "fastvit_sa24": (21_554_216, 3770.0),
    "fastvit_sa36": (31_527_464, 5596.0),
    "fastvit_ma36": (44_068_004, 7825.7),
}


@pytest.mark.parametrize("name", ["fastvit", "smoke", "mobileone", "efficientnet", "convnext", "cmt"])
def test_reference_points_are_among_the_choices_and_obey_the_rules(name: str) -> None:
    space = load_space(name)
    assert space.reference_points
    for point in space.reference_points.values():
        assert space.outside(point) == ()
        assert space.broken_rules(point, cost_quantities) == ()


def test_fastvit_holds_the_published_networks() -> None:
    space = load_space("fastvit")
    assert set(space.reference_points) == set(PUBLISHED)
    for name, (params, macs_m) in PUBLISHED.items():
        counted = costs(space.reference_points[name], form="train")
        assert counted.params == params
        assert counted.macs / 1e6 == pytest.approx(macs_m, abs=0.05)
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
    space = parse_space(yaml.safe_dump({**BASE, **fragment}), source="README.md")
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
