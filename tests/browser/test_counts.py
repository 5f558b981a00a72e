"""Numbers on the page are those of `bench show` and of the frames: legend, budget, verdicts."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from playwright.sync_api import expect

from bench.api import Study, load_study
from bench.cli.main import cli

from .visits import Visit

_BUDGET_MS = 12.0


@pytest.fixture(scope="module")
def study(several: Path) -> Study:
    return load_study("main", db=several)


@pytest.fixture(scope="module")
def shown(several: Path) -> str:
    """What `bench show` prints."""
    result = CliRunner().invoke(cli, ["show", "main", "--db", str(several)])
    assert result.exit_code == 0, result.output
    return result.output


def test_legend_and_facts(main: Visit, study: Study, shown: str) -> None:
    trials, front = study.trials(), study.front()
    reached = trials[(trials["status"] == "complete") & trials["latency_ms"].notna()]
    stopped = trials[(trials["status"] == "stopped") & trials["latency_ms"].notna()]
    num_failed = int((trials["status"] == "failed").sum())
    main.open(study="main", stopped="1")
    legend = main.find("#front .legend")
    expect(legend).to_contain_text(f"front {len(front)}")
    expect(legend).to_contain_text(f"dominated {len(reached) - len(front)}")
    expect(legend).to_contain_text(f"stopped early {len(stopped)} (")
    expect(legend.locator(".chip")).to_have_text(f"{num_failed} failed trials")
    expect(main.find("[data-fact=front]")).to_have_text(str(len(front)))
    expect(main.find("[data-fact=failed]")).to_have_text(str(num_failed))
    expect(main.find("#filter-note")).to_have_text(f"{len(trials)} trials")
    heading = re.search(r"main: (\d+) on the front of (\d+) tried \((.*)\)\nhypervolume (\S+) against", shown)
    assert heading is not None
    assert heading.group(1, 2) == (str(len(front)), str(len(trials)))
    assert f"{num_failed} failed" in heading[3]
    expect(main.find("[data-fact=hypervolume]")).to_have_text(heading[4])


def test_budget_answer(main: Visit, study: Study) -> None:
    front = study.front()
    within: pd.DataFrame = front[front["latency_ms"] <= _BUDGET_MS]
    best = within.loc[within["accuracy"].idxmax()]
    main.open(study="main", budget=f"latency_ms~{_BUDGET_MS:g}")
    expect(main.find("#under-budget")).to_have_text(
        f"latency \N{LESS-THAN OR EQUAL TO} {_BUDGET_MS:g} ms: {len(within)} trials of {len(front)} on the front; best "
        f"accuracy {best['accuracy']:.4g}, #{best['number']}{' ' + best['name'] if best['name'] else ''}"
    )


def test_verdicts_on_published_networks(main: Visit, shown: str) -> None:
    main.open("export", study="main")
    told = main.find("#export .plain-list li")
    expect(told.first).to_be_visible()
    sentences = told.all_inner_texts()
    assert sentences
    lines = shown.splitlines()
    assert [sentence for sentence in sentences if sentence not in lines] == []


def test_filter_of_the_page_and_of_the_server_find_the_same(main: Visit, several: Path) -> None:
    """The page reads the filter itself where it holds all trials, and asks the server where it does not."""
    from bench.dashboard.filter import passing
    from bench.dashboard.followed import Group
    from bench.store import open_store

    texts = (
        "latency_ms<12 depth>=3",
        "mixer~att",
        "stage3.width=192 status!=failed",
        "verdict=noisy",
        "front",
        "params_m~1.2",
        "reason~diverged",
        "images=8000 accuracy>.6",
        "kind=early",
        "t8",
        "seconds<900",
    )
    with open_store(several, read_only=True) as reader:
        group = Group(reader.study("main"))
        group.refresh(reader)
        wanted = {text: passing(group, reader, text).nonzero()[0].tolist() for text in texts}
    main.open("table", study="main")
    for text in texts:
        main.find("#filter").fill(text)
        num = len(wanted[text])
        expect(main.find("#filter-note")).to_have_text(f"{num} of 120 trials", use_inner_text=True)
        if num:
            assert sorted(main.order()) == wanted[text]
