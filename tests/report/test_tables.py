from __future__ import annotations

from dataclasses import replace

from bench.report.tables import baseline_sentences, front_table, reference_sentences, table, time_table, trial_rows
from bench.report.verdicts import reference_verdicts
from bench.report.views import StudyView


def test_columns_line_up() -> None:
    lines = table(("name", "n"), [("a", "1"), ("long name", "1,000")]).splitlines()
    assert lines == ["name           n", "---------  -----", "a              1", "long name  1,000"]


def test_the_front_is_listed_with_the_reference_points(view: StudyView) -> None:
    text = front_table(view)
    assert f"scripted: {len(view.front)} on the front of 14 tried (" in text
    assert "hypervolume" in text
    assert "against accuracy 0, latency_ms 20" in text
    for trial in view.front:
        assert f"#{trial.number} " in text
    assert "smoke_repmixer" in text
    assert "smoke_attention" in text
    timed = sum(bool(trial.latency) for trial in view.trials)
    assert f"latencies by verdict: {timed} valid (" in text


def test_every_reference_point_gets_a_sentence(view: StudyView) -> None:
    sentences = reference_sentences(view)
    assert len(sentences) == len(reference_verdicts(view))
    assert all("is dominated by #" in text or "is not dominated by anything found" in text for text in sentences)
    assert all(" pictures)" in text for text in sentences)


def test_every_baseline_gets_a_sentence(view: StudyView) -> None:
    top = view.top_rung
    best, worst = (
        replace(view.front[0], name=name, architecture_id=name, accuracy={top: accuracy}, images_seen=9600)
        for name, accuracy in (("mobileone_s0", 1.0), ("cmt_ti", 0.0))
    )
    study = replace(view.study, name="scripted-baselines")
    heading, *sentences = baseline_sentences(view, replace(view, study=study, trials=(best, worst)))
    assert heading == "against scripted-baselines:"
    assert sentences == [
        "mobileone_s0 is not dominated by anything found (at 9,600 pictures)",
        f"cmt_ti is dominated by #{view.front[0].number} (at 9,600 pictures)",
        "(by point estimates: one seed, and quick latency intervals of few restarts)",
    ]
    assert baseline_sentences(view, replace(view, study=study, trials=())) == []


def test_many_rivals_are_counted(view: StudyView) -> None:
    number = view.trials[0].number
    worst = replace(
        view.trials[0], name="smoke_repmixer", status="stopped", accuracy={0: 0.0}, figures={"latency_ms": 1e6}
    )
    (first, *_) = reference_sentences(replace(view, trials=(worst, *view.trials[1:])))
    assert first.startswith("smoke_repmixer is dominated by #")
    assert " more " in first
    assert f"#{number}," not in first


def test_seconds_are_shared_out() -> None:
    assert time_table({"train": 3.0, "time": 1.0}).split() == (
        ["stage", "seconds", "%", "-----", "-------", "----", "train", "3.0", "75.0", "time", "1.0", "25.0"]
    )


def test_a_failed_trial_shows_its_reason(view: StudyView) -> None:
    failed = next(trial for trial in view.trials if trial.status == "failed")
    rows = dict(trial_rows(failed))
    assert rows["status"] == "failed"
    assert rows["reason"].startswith("scripted failure")


def test_latencies_of_several_runners_stand_side_by_side(view: StudyView) -> None:
    timing = {**view.study.config["timing"], "runners": ["pi5", "pixel8"]}
    study = replace(view.study, config={**view.study.config, "timing": timing})
    first = view.front[0]
    trial = replace(first, latencies={f"latency_ms:{name}": first.latency for name in ("pi5", "pixel8")})
    text = front_table(replace(view, study=study, trials=(trial,)))
    for words in ("ms on pi5", "x T8 on pi5", "ms on pixel8", "quick interval on pixel8", "by verdict: 2 valid"):
        assert words in text
    assert dict(trial_rows(trial))["latency on pixel8"] == dict(trial_rows(first))["latency"]
