"""Studies that pages follow: each is read once and then kept up with what changes, for all who look at it."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence

from bench.dashboard.choices import ChoiceBook
from bench.dashboard.driver import is_driven
from bench.report.points import StudyPoints
from bench.store import BASELINES, Reader, StudyRecord

# A hundred thousand trials are some tens of megabytes; what was not looked at for longest is read again when it is.
_MOST = 8


class FollowedStudy:
    """One study, as far as it was read.

    Attributes:
        points: its trials and front.
        epoch: another one when everything was read anew, so that nobody goes on from what was.
    """

    _is_read: bool

    def __init__(self, study: StudyRecord) -> None:
        self._begin(study)

    @property
    def sequence(self) -> int:
        """Of the last event that is contained."""
        return self.points.columns.sequence

    def refresh(self, reader: Reader) -> None:
        """Reads what has changed since the last time.

        Raises:
            StoreError: the database cannot be read, or the study is not there (any more).
        """
        known, record = self.sequence, self.points.columns.study
        head, name, created_at = reader.mark(record.id)
        if head < known or (name, created_at) != (record.name, record.created_at):
            self._begin(reader.study_by_id(record.id))  # another database lies where this one was
        elif self._is_read and head == known:
            return
        with reader.changes(record.id, after=self.sequence) as changes:
            self.points.apply(changes)
        self._is_read = True

    def _begin(self, study: StudyRecord) -> None:
        self.points = StudyPoints(study)
        self.epoch = secrets.token_hex(4)
        self._is_read = False


class Group:
    """A study and its baselines, as a page shows them, with one vocabulary for both; whoever reads it holds its lock.

    Attributes:
        lock: for one thread at a time.
        study, baselines: None for baselines that do not exist (yet).
        baselines_of: id of the study whose baselines the study is; None: it is a search of its own.
        book: of the words of their architectures.
        words: of their sources and verdicts, each with its number.
        is_driven: whether a process runs the study (`driver.is_driven`).
    """

    def __init__(self, study: StudyRecord) -> None:
        self.is_driven: bool | None = None
        self.lock = threading.RLock()
        self.study = FollowedStudy(study)
        self.baselines: FollowedStudy | None = None
        self.baselines_of: int | None = None
        self.book = ChoiceBook()
        self.words: dict[str, dict[str, int]] = {"source": {}, "verdict": {}}

    def refresh(self, reader: Reader) -> None:
        """Reads what has changed in either; errors as for `FollowedStudy.refresh`."""
        epoch = self.study.epoch
        self.study.refresh(reader)
        self.is_driven = is_driven(reader, self.study.points.columns.study)
        name = self.study.points.columns.study.name
        if name.endswith(BASELINES):
            owner = reader.study_named(name.removesuffix(BASELINES))
            self.baselines_of = None if owner is None else owner.id
        found = reader.study_named(name + BASELINES)
        if found is None:
            self.baselines = None
        elif self.baselines is None or self.baselines.points.columns.study.id != found.id:
            self.baselines = FollowedStudy(found)
        if self.baselines is not None:
            self.baselines.refresh(reader)
        if self.study.epoch != epoch:
            self.book = ChoiceBook()  # it knows trials by ids that are of another database

    def read_choices(self, reader: Reader, trial_ids: Sequence[int]) -> None:
        """Makes sure that the architectures of these trials are in the book."""
        lacking = self.book.lacking(trial_ids)
        found = reader.architectures(lacking) if lacking else {}
        for trial_id in lacking:
            self.book.add(trial_id, found[trial_id])


class Following:
    """The studies that were looked at lately."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: OrderedDict[int, Group] = OrderedDict()

    def group(self, reader: Reader, study_id: int) -> Group:
        """The study with its baselines; refreshed by whoever holds its lock.

        Raises:
            StoreError: there is none.
        """
        with self._lock:
            group = self._groups.get(study_id)
            if group is not None:
                self._groups.move_to_end(study_id)
                return group
        group = Group(reader.study_by_id(study_id))
        with self._lock:
            group = self._groups.setdefault(study_id, group)
            while len(self._groups) > _MOST:
                self._groups.popitem(last=False)
            return group
