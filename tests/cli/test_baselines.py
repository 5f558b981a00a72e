"""`bench baselines`, whole: on a study that a real search left behind, from its first line to the page."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from command import Ended

from bench.cli.main import cli
from bench.networks.cost import cost_quantities, costs
from bench.report.verdicts import baseline_verdicts
from bench.report.views import StudyView, baselines_view, study_view
from bench.space import Architecture, parse_space
from bench.store import open_store
from bench.study.baselines import FAMILIES

from .here import Here, bench_here

if TYPE_CHECKING:
    from ..conftest import RealSearch


def test_the_families_that_are_offered_are_those_that_there_are() -> None:
    command = cli.get_command(click.Context(cli), "baselines")
    assert command is not None
    (option,) = [found for found in command.params if found.name == "families"]
    assert isinstance(option, click.Option)
    assert option.help is not None
    assert option.help.startswith(f"{', '.join(FAMILIES)} [")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the command, and the folder that it left its results in."""

    folder: Path
    ended: Ended

    @property
    def db(self) -> Path:
        return self.folder / "results" / "bench.db"

    def views(self) -> tuple[StudyView, StudyView]:
        """Of the study and of its baselines."""
        with open_store(self.db, read_only=True) as store:
            found = baselines_view(store, "real")
            assert found is not None
            return study_view(store, "real"), found


@pytest.fixture(scope="session")
def begun(real_search: RealSearch, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One network."""
    folder = tmp_path_factory.mktemp("baselines")
    for name in ("results", "cache"):
        shutil.copytree(real_search.folder / name, folder / name)
    return Run(folder=folder, ended=bench_here("baselines", "real", "--networks", "mobileone_s0", cwd=folder))


@pytest.fixture(scope="session")
def grown(begun: Run) -> Run:
    """Another beside it."""
    words = ("baselines", "real", "--networks", "cmt_ti", "--out", "page.html")
    return Run(folder=begun.folder, ended=bench_here(*words, cwd=begun.folder))


@pytest.mark.slow
def test_one_network_is_tried(begun: Run) -> None:
    assert begun.ended.code == 0, begun.ended.err
    assert "Traceback" not in begun.ended.err
    assert "real-baselines: 1 on the front of 1 tried (1 complete)" in begun.ended.out


@pytest.mark.slow
def test_the_list_grows_in_one_study(grown: Run) -> None:
    assert grown.ended.code == 0, grown.ended.err
    assert "Traceback" not in grown.ended.err
    assert re.search(r"real-baselines: [12] on the front of 2 tried \(2 complete\)", grown.ended.out)
    with open_store(grown.db, read_only=True) as store:
        assert [study.name for study in store.studies()] == ["real", "real-baselines"]
        study = store.study("real-baselines")
        assert [trial.source for trial in store.trials(study.id)] == ["reference:mobileone_s0", "reference:cmt_ti"]
        names = list(parse_space(study.space_text, source="stored").reference_points)
    assert names == ["mobileone_s0", "cmt_ti"]
    assert (study.status, study.config["budget"]) == ("complete", 2)


@pytest.mark.slow
def test_they_are_tried_as_the_candidates_were(grown: Run) -> None:
    with open_store(grown.db, read_only=True) as store:
        study, baselines = store.study("real"), store.study("real-baselines")
        theirs = {score.rung: score.fidelity for score in store.study_scores(study.id)}
        scores = store.study_scores(baselines.id)
        timed = store.study_measurements(baselines.id)
        trials = {trial.id: trial for trial in store.trials(baselines.id)}
    assert (baselines.reference_ms, baselines.hypervolume_reference) == (
        study.reference_ms,
        study.hypervolume_reference,
    )
    assert [score.rung for score in scores] == [0, 0]
    for score in scores:
        # As those that reached the study's top rung: the same pictures, as often.
        for name in ("data", "data_hash", "classes", "resolution", "images_seen", "training"):
            assert score.fidelity[name] == theirs[1][name], name
    assert [found.resolution for found in timed] == [224, 160]
    for found in timed:
        assert found.fingerprint["reference"]["resolution"] == 64
        ratio = found.summary["ratio_to_reference"]
        assert found.summary["comparable_ms"] == pytest.approx(ratio * study.reference_ms["64"])
    for trial in trials.values():
        network = Architecture.from_dict(trial.architecture)
        assert trial.costs["params_m"] == cost_quantities(network)["params_m"]
        assert (grown.folder / "results" / "studies" / "real-baselines" / str(trial.weights_path)).is_file()


@pytest.mark.slow
def test_its_sentences_say_what_the_store_holds(grown: Run) -> None:
    out = grown.ended.out
    verdicts = baseline_verdicts(*grown.views())
    assert [verdict.name for verdict in verdicts] == ["mobileone_s0", "cmt_ti"]
    for verdict in verdicts:
        found = re.search(rf"^{verdict.name} is (not )?dominated by (.*) \(at 96 pictures\)$", out, flags=re.MULTILINE)
        assert found is not None
        assert (found[1] is None) == bool(verdict.dominated_by)
        assert all(f"#{number}" in found[2] for number in verdict.dominated_by[:6])
    network = Architecture.from_dict(grown.views()[1].trials[1].architecture)
    counts = [f"{costs(network, resolution=side).params:,} " for side in (160, 64)]
    (told,) = [line for line in out.splitlines() if "its position bias belongs to the resolution" in line]
    assert told.startswith(f"cmt_ti has {counts[0]}")
    assert counts[1] in told


@pytest.mark.slow
def test_the_page_shows_the_front_and_the_baselines(grown: Run) -> None:
    text = (grown.folder / "page.html").read_text(encoding="utf-8")
    (data,) = re.findall(r'Plotly\.newPlot\(\s*"[^"]+",\s*(\[.*?\}\]),\s*\{"', text, flags=re.DOTALL)
    traces = {trace["name"]: trace for trace in json.loads(data)}
    study, baselines = grown.views()
    assert traces["baselines, measured here"]["text"] == ["mobileone_s0", "cmt_ti"]
    assert len(traces["front"]["text"]) == len(study.front)
    assert len(baselines.trials) == 2
    assert list(grown.folder.glob("page.html*")) == [grown.folder / "page.html"]


@pytest.mark.slow
def test_what_follows_from_them_is_told(here: Here, grown: Run) -> None:
    shown = here("show", "real", "--db", grown.db)
    assert "against real-baselines:" in shown.out
    assert "bench baselines real" not in shown.out
    again = here("replay", "real-baselines", "--db", grown.db)
    assert (again.code, again.out) == (0, "2 proposals, all the same\n"), again.err
    done = here("baselines", "real", "--db", grown.db)
    assert done.code == 1
    assert "are done (mobileone_s0, cmt_ti); --families and --networks add others" in done.err
