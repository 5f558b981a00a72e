"""A process that holds what the one holds which runs a study."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

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
