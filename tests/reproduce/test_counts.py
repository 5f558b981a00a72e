from __future__ import annotations

from dataclasses import replace

import pytest

from bench.networks.models import Model
from bench.reproduce.counts import TIMM_FOLDED, count_findings, forms
from bench.reproduce.published import Figure, figures
from bench.study.models import find_model


def model(name: str) -> Model:
    found = find_model(name)
    assert isinstance(found, Model)
    return found


def figure_of(name: str, quantity: str, value: float) -> Figure:
    return next(found for found in figures(name) if (found.quantity, found.value) == (quantity, value))


def test_every_form_that_people_count_is_counted() -> None:
    counted = forms(model("fastvit_t8"), "params_m")
    # Apple's and timm's code, and what is folded further here (docs of FastViT's deploy form).
    assert counted == {
        "train form": 4.026232,
        "deploy form": 3.992392,
        "deploy form as timm folds it": 3.99604,
    }


def test_what_timm_does_not_fold_is_no_form_of_its_own() -> None:
    assert TIMM_FOLDED not in forms(model("convnext_t"), "params_m")
    assert TIMM_FOLDED not in forms(model("fastvit_t8"), "macs_g")
    assert forms(model("mobileone_s0"), "params_m")[TIMM_FOLDED] == pytest.approx(2.078504)


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
    ("form", "verdict", "said"),
    [
        ("train", "reproduced", "of the train form"),
        ("unstated", "reproduced", "of the train form"),
        ("deploy", "differs", "of the train form, though the source says deploy form"),
    ],
)
def test_a_figure_of_a_stated_form_is_reproduced_by_that_form_alone(form: str, verdict: str, said: str) -> None:
    figure = replace(figure_of("fastvit_t8", "params_m", 4.026232), form=form, note="")
    (found,) = count_findings(model("fastvit_t8"), (figure,))
    assert found.verdict == verdict
    assert found.note == f"the published figure is {said}"


@pytest.mark.parametrize(
    ("name", "said", "verdict"),
    [("cmt_s", "25.1", "differs"), ("cmt_s", "26.256160", "reproduced"), ("mobileone_s0", "2.0", "reproduced")],
)
def test_figures_that_disagree_are_judged_one_by_one(name: str, said: str, verdict: str) -> None:
    found = [f for f in count_findings(model(name), figures(name)) if f.published.startswith(said)]
    assert [finding.verdict for finding in found][:1] == [verdict]


def test_each_count_is_of_the_resolution_that_it_was_published_for() -> None:
    """CMT's position bias grows with the picture: two published counts, both reproduced."""
    found = {finding.published: finding.verdict for finding in count_findings(model("cmt_ti"), figures("cmt_ti"))}
    assert found["9.492426 (train form)"] == "reproduced"
    assert found["9.705546 (train form) at 224 px"] == "reproduced"
    assert found["0.639 (train form) at 160 px"] == "reproduced"


def test_a_resolution_that_the_network_cannot_take_is_a_finding() -> None:
    figure = replace(figure_of("fastvit_t8", "macs_g", 0.7), resolution=100)
    (found,) = count_findings(model("fastvit_t8"), (figure,))
    assert found.verdict.startswith("not run: resolution is 100; multiples of 32 are allowed")
    assert found.published == "0.7 at 100 px"
