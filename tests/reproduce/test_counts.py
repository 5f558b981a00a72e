from __future__ import annotations

import pytest

from bench.networks.models import Model
from bench.reproduce.counts import count_findings, forms
from bench.reproduce.published import figures
from bench.study.models import find_model


def model(name: str) -> Model:
    found = find_model(name)
    assert isinstance(found, Model)
    return found


def test_every_form_that_people_count_is_counted() -> None:
    counted = forms(model("fastvit_t8"), "params_m")
    # Apple's and timm's code, and what is folded further here (docs of FastViT's deploy form).
    assert counted == {
        "train form": 4.026232,
        "deploy form": 3.992392,
        "deploy form as timm folds it": 3.99604,
    }


def test_a_published_count_is_told_by_its_form() -> None:
    findings = {
        (finding.quantity, finding.published): finding
        for finding in count_findings(model("fastvit_t8"), figures("fastvit_t8"))
    }
    paper = next(found for (what, said), found in findings.items() if "parameters" in what and said.startswith("3.6"))
    assert paper.verdict == "differs"
    assert "no form of the network has it; the nearest is the deploy form, +10.9 %" in paper.note
    released = next(found for (what, said), found in findings.items() if said.startswith("3.996"))
    assert released.verdict == "reproduced"
    assert "of the deploy form as timm folds it" in released.note
    macs = [found for (what, said), found in findings.items() if what.startswith("multiply-adds") and "0.6852" in said]
    assert [found.verdict for found in macs] == ["reproduced"]
    assert "of the deploy form" in macs[0].note


@pytest.mark.parametrize(
    ("name", "said", "verdict"),
    [("cmt_s", "25.1", "differs"), ("cmt_s", "26.256160", "reproduced"), ("mobileone_s0", "2.0", "reproduced")],
)
def test_figures_that_disagree_are_judged_one_by_one(name: str, said: str, verdict: str) -> None:
    found = [f for f in count_findings(model(name), figures(name)) if f.published.startswith(said)]
    assert [finding.verdict for finding in found][:1] == [verdict]
