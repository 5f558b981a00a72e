"""A search that was killed cannot say that it ended; its lock tells."""

from __future__ import annotations

from pathlib import Path

from driving import searching
from made_studies import MovingClock, add_study, add_trial, made_store

from bench.dashboard.question import Question, parse_question
from bench.dashboard.source import Source


def test_a_page_is_told_that_the_process_has_gone(tmp_path: Path) -> None:
    clock = MovingClock()
    with made_store(tmp_path / "bench.db", clock=clock) as store:
        study = add_study(store)
        add_trial(store, study, accuracy=None, status="running")
        with Source(tmp_path / "bench.db", clock=clock) as source:
            unknown = source.points(study.id, Question())
            assert unknown is not None
            assert (unknown["study"]["is_driven"], unknown["pace"]["running"]) == (None, 1)
            with searching(store, study) as process:
                alive = source.points(study.id, parse_question({"after": unknown["cursor"]}))
                assert alive is not None
                assert (alive["study"]["is_driven"], alive["rows"]["number"]) == (True, [])
                assert source.points(study.id, parse_question({"after": alive["cursor"]})) is None
                assert source.studies()["studies"][0]["is_driven"] is True
                process.kill()
                process.wait()
                dead = source.points(study.id, parse_question({"after": alive["cursor"]}))
            assert dead is not None
            assert dead["study"]["status"] == "running"  # as it stands in the database, which nobody here writes
            assert dead["study"]["is_driven"] is False
            assert (dead["pace"]["running"], dead["pace"]["seconds_left"], dead["pace"]["per_hour"]) == (0, None, None)
            assert dead["pace"]["seconds"] <= alive["pace"]["seconds"]  # it ended with what was last heard
            assert source.studies()["studies"][0]["is_driven"] is False
            store.set_study_status(study.id, "complete")
            ended = source.points(study.id, parse_question({"after": dead["cursor"]}))
            assert ended is not None
            assert ended["study"]["is_driven"] is None
