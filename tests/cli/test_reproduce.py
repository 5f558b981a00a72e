"""`bench reproduce`; what it does not have to time for real is timed by made-up figures."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from reproduce.made import Timing

from bench.reproduce import sessions
from bench.store import open_store

from .here import Here, files


@pytest.fixture
def timing(monkeypatch: pytest.MonkeyPatch) -> Timing:
    found = Timing()
    monkeypatch.setattr(sessions, "measure_models", found)
    return found


class Interrupted(Timing):
    """Ctrl-C in the session of a number, from 0."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def __call__(self, *models: Any, **how: Any) -> Any:
        if len(self.asked) == self._number:
            raise KeyboardInterrupt
        return super().__call__(*models, **how)


def run_of(text: str) -> str:
    found = re.search(r"--resume (\S+)", text)
    assert found is not None, text
    return found[1]


def test_a_published_model_is_checked_and_kept(here: Here, tmp_path: Path) -> None:
    """The whole command with the least of timing; the figures of a full run are under results/measured."""
    ended = here("reproduce", "mobileone_s0", "--limit", 1, "--json")
    assert ended.code == 0, ended.err
    (data,) = ended.lines
    (report,) = data["reports"]
    found = {finding["quantity"]: finding for finding in report["findings"]}
    assert found["fold"]["verdict"] == "reproduced"
    assert found["same output as timm"]["verdict"] == "reproduced"
    assert found["same output as timm"]["values"]["deploy form error"] < 1e-10
    own = found["latency, cpu, onnxruntime"]
    assert own["values"]["ms"] > 0
    assert " x FastViT-T8 at 256 px" in own["measured"]
    assert re.match(r"\d restarts?: mobileone_s0 \w+", own["note"])
    assert found["latency of fastvit_t8"]["values"]["ratio"] > 0
    assert found["top-1 (%)"]["verdict"].startswith("not run: ImageNet (--imagenet DIR) and weights")
    assert found["latency elsewhere"]["published"].startswith("0.790 ms (iPhone 12 Pro, Core ML (ModelBench app), min")
    assert found["latency elsewhere"]["verdict"].startswith("not run: iPhone 12 Pro with Core ML (ModelBench app)")
    # How it was made stands with it.
    assert report["options"]["limit_s"] == 1
    (session,) = report["sessions"]
    assert (session["limit_s"], session["reference_resolution"]) == (1, 256)
    assert report["fingerprint"]["places"]["cpu, onnxruntime"]["threads"] == 1
    page = (tmp_path / "reproduce-mobileone_s0.html").read_text(encoding="utf-8")
    ratio = next(point["ratio_to_t8"] for point in report["points"] if point["name"] == "mobileone_s0")
    assert f'"x":[{json.dumps(ratio)}]' in page
    with open_store(tmp_path / "results" / "bench.db", read_only=True) as store:
        kept = store.reports(run=data["run"])
        assert [record.kind for record in kept] == ["plan", "model"]
        assert len(store.all_measurements()) >= 3


def test_an_interrupted_run_goes_on_as_it_was_begun(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "measure_models", Interrupted(3))
    ended = here("reproduce", "claims", "--db", "my results.db", "--threads", 2)
    assert ended.code == 130
    assert " --db 'my results.db'\n" in ended.err
    assert ended.out.count(" against ") >= 3
    run = run_of(ended.err)
    rest = Timing()
    monkeypatch.setattr(sessions, "measure_models", rest)
    again = here("reproduce", "claims", "--resume", run, "--db", "my results.db", "--json")
    assert again.code == 0, again.err
    reports = json.loads(again.out)["reports"]
    assert len(reports) == 15
    assert len(rest.asked) == 15 - 3  # what was done is not done again
    assert {conditions.threads for _, conditions in rest.asked} == {(2,)}
    assert all(report["options"]["threads"] == 2 for report in reports)
    page = (tmp_path / "reproduce-claims.html").read_text(encoding="utf-8")
    assert "fastvit_ma36 against nfnet_f1" in page
    # Done, it can be read again without the name of what it was.
    assert len(json.loads(here("reproduce", "--resume", run, "--db", "my results.db", "--json").out)["reports"]) == 15
    assert len(rest.asked) == 15 - 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("table",), r"'table' with --resume claims-\S+; that run is of 'claims'; name this, or nothing"),
        (("claims", "--threads", 2), r"--resume with --threads; a run goes on as it was begun, beside it only --db"),
        (("--runner", "cpu", "--limit", 5, "--download"), r"--resume with --runner, --download, --limit; a run goes"),
        (("--imagenet", "x", "--weights", "y"), r"--resume with --imagenet, --weights; a run goes on"),
    ],
)
def test_a_run_goes_on_with_nothing_new(
    here: Here, monkeypatch: pytest.MonkeyPatch, words: tuple[object, ...], message: str
) -> None:
    monkeypatch.setattr(sessions, "measure_models", Interrupted(0))
    run = run_of(here("reproduce", "claims").err)
    ended = here("reproduce", *words, "--resume", run)
    assert ended.code == 1
    assert re.search(message, ended.err), ended.err
    assert len(ended.err.strip().splitlines()) == 1


def test_a_run_goes_on_where_it_was_begun_alone(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "measure_models", Interrupted(1))
    run = run_of(here("reproduce", "claims").err)
    real = sessions.fingerprint

    def elsewhere(**how: Any) -> dict[str, Any]:
        found = real(**how)
        return {**found, "machine": {**found["machine"], "cpu": "another CPU"}}

    monkeypatch.setattr(sessions, "fingerprint", elsewhere)
    ended = here("reproduce", "--resume", run)
    assert ended.code == 1
    assert "found 'fastvit_ma36@256 against cmt_s@224' under other conditions (machine.cpu: " in ended.err


def test_one_network_that_cannot_be_timed_does_not_end_a_run(here: Here, timing: Timing) -> None:
    timing.refused |= {"cmt_s", "fastvit_t8@512"}
    ended = here("reproduce", "claims", "--json")
    assert ended.code == 0, ended.err
    findings = [finding for report in json.loads(ended.out)["reports"] for finding in report["findings"]]
    refused = [finding["quantity"] for finding in findings if "cannot be exported" in finding["verdict"]]
    assert refused == [
        "MA36 is 3.5 times faster than CMT-S at equal accuracy on a phone",
        "train form against deploy form at 512 px",
    ]
    assert sum("other way round" in finding["note"] or bool(finding["measured"]) for finding in findings) > 10


def test_weights_that_are_none_are_told_at_once(here: Here, timing: Timing, tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_text("<html>not found</html>")
    (tmp_path / "val").mkdir()
    ended = here("reproduce", "mobileone_s0", "--weights", "weights.pth", "--imagenet", "val")
    assert ended.code == 1
    assert "weights.pth" in ended.err
    assert timing.asked == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "needs a model, 'claims', 'table' or 'all', or --resume RUN"),
        (("fastvit_t9",), "no reference point 'fastvit_t9' in a shipped space"),
        (("claims", "--weights", "x.pth"), "--weights with 'claims'; weights belong to one model"),
        (("claims", "--imagenet", "x"), "--imagenet without --download with 'claims'; accuracies need the pictures"),
        (("all", "--download"), "--download without --imagenet DIR with 'all'; accuracies need the pictures"),
        (("table", "--imagenet", "x", "--download"), "--imagenet or --download with 'table'; it evaluates nothing"),
        (("--resume", "claims-1"), "no run 'claims-1'; the last ones: none"),
        (("fastvit_t8", "--out", "no/where.html"), "there is no folder no"),
        (("fastvit_t8", "--runner", "phone"), "phone"),
    ],
)
def test_what_cannot_be_done_is_one_line(here: Here, tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    ended = here("reproduce", *words)
    assert ended.code == 1
    assert message in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert files(tmp_path) <= {"results", "results/bench.db"}
