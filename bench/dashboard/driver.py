"""Whether a search that is said to run has a process: a killed one cannot say that it ended.

Whoever runs a study holds the lock in its folder, and the kernel lets go of it when the process dies. That can be told
where the folder is: on the machine of the search, or over a file system that both share.
"""

from __future__ import annotations

from bench.measure.exclusive import is_held
from bench.store import Reader, StudyRecord, driver_folder, study_folder


def is_driven(reader: Reader, study: StudyRecord) -> bool | None:
    """Whether a process runs the study; None: it is not said to run, or its folder is not of this machine."""
    if study.status != "running":
        return None
    return is_held(driver_folder(study_folder(reader, study)))
