"""A search that was killed cannot say that it ended; its lock tells."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from made_studies import MovingClock, add_study, add_trial, made_store

from bench.dashboard.question import Question, parse_question
from bench.dashboard.source import Source
from bench.store import Store, StudyRecord, driver_folder, study_folder

# What a search holds as long as it lives.
_HOLDER = """
import sys
from pathlib import Path
from bench.measure import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def searching(store: Store, study: StudyRecord) -> Iterator[subprocess.Popen[str]]:
    """A process that holds what the one has which runs the study."""
    command = [sys.executable, "-c", _HOLDER, str(driver_folder(study_folder(store, study)))]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


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
