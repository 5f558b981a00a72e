"""Which status may follow which: a finished trial never runs again, a study may always go on.

trial    queued <-> running <-> paused;  each of them -> complete | stopped | failed, which are final
study    running -> interrupted | complete | stopped | failed;  each of them -> running
"""

from __future__ import annotations

from collections.abc import Mapping

from bench.errors import StoreError

FINISHED_TRIAL = frozenset({"complete", "stopped", "failed"})
FINISHED_STUDY = frozenset({"complete", "stopped", "failed"})

TRIAL_MOVES: Mapping[str, frozenset[str]] = {
    "queued": frozenset({"running", "stopped", "failed"}),
    # Back to the queue: its worker or its driver died, and it is tried again.
    "running": frozenset({"queued", "paused"}) | FINISHED_TRIAL,
    "paused": frozenset({"queued", "running"}) | FINISHED_TRIAL,
    "complete": frozenset(),
    "stopped": frozenset(),
    "failed": frozenset(),
}

STUDY_MOVES: Mapping[str, frozenset[str]] = {
    # Running to running: the driver was killed before it could say so, and the study is resumed.
    "running": frozenset({"running", "interrupted"}) | FINISHED_STUDY,
    "interrupted": frozenset({"running"}),
    "complete": frozenset({"running"}),
    "stopped": frozenset({"running"}),
    "failed": frozenset({"running"}),
}


def check_move(subject: str, moves: Mapping[str, frozenset[str]], *, old: str, new: str) -> None:
    """Refuse a status that is unknown or does not follow from the old one.

    Raises:
        StoreError: names what may follow.
    """
    if new not in moves:
        raise StoreError(f"unknown status {new!r} for {subject}; known: {', '.join(moves)}; use one of them")
    if new in moves[old]:
        return
    allowed = ", ".join(status for status in moves if status in moves[old])
    if not allowed:
        raise StoreError(f"{subject} is {old} and cannot become {new}; {old} is final; add a new trial instead")
    raise StoreError(f"{subject} is {old} and cannot become {new}; allowed: {allowed}; set one of them first")


def checked_reason(status: str, reason: str | None) -> str | None:
    """The reason as it can be stored; a failure must have one."""
    if status == "failed" and not reason:
        raise StoreError("status failed without a reason; a failure is kept with its reason; give reason=...")
    return printable(reason)


def printable(reason: str | None) -> str | None:
    """Reasons quote crashed programs: bytes that no database takes as text must not add a failure."""
    return None if reason is None else reason.replace("\0", "").encode("utf-8", "replace").decode()
