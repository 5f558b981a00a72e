"""Every error that a user can cause, as one tree.

    BenchError
    +-- SpaceError (ValueError)          a space, a rule or an architecture is not valid
    +-- NetworkError (ValueError)        a network cannot be built from its architecture
    +-- FoldError (ArithmeticError)      a deploy form differs from its train form
    +-- ExportError (RuntimeError)       a network cannot be exported, or its artifact differs from it
    +-- DataError (ValueError)           pictures are missing, unreadable or laid out in an unknown way
    +-- TrainingError (RuntimeError)     a short training diverged
    +-- MeasureError (RuntimeError)      something could not be timed
    +-- StoreError (RuntimeError)        the database cannot be opened, read or written
    +-- FleetError (RuntimeError)        a remote runner, a token or a job cannot do what was asked for
    +-- SearchError (RuntimeError)       a search cannot start or go on
    +-- ReproduceError (RuntimeError)    a published figure cannot be checked as asked for
    +-- ConfigError (ValueError)         a setting or a flag is not valid
    +-- ContentError (FileNotFoundError) a shipped file, or one named by the user, is not there
    +-- MissingExtra (ImportError)       an optional package is needed and not installed

A message is one line of three parts: what was got, what is allowed, what to do. The command line prints the
message alone; `--verbose` adds the traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BenchError(Exception):
    """Root of all errors that `bench` raises on purpose."""

    def __str__(self) -> str:
        # FileNotFoundError and ImportError would otherwise format their arguments their own way.
        return str(self.args[0]) if self.args else type(self).__name__


class SpaceError(BenchError, ValueError):
    """A space, a rule or an architecture is not valid."""


class NetworkError(BenchError, ValueError):
    """A network cannot be built from its architecture."""


class FoldError(BenchError, ArithmeticError):
    """A deploy form does not compute what its train form computes."""


class ExportError(BenchError, RuntimeError):
    """A network cannot be exported, or the artifact computes something else."""


class DataError(BenchError, ValueError):
    """Pictures are missing, unreadable or laid out in an unknown way."""


class TrainingError(BenchError, RuntimeError):
    """A short training diverged or could not run."""


class MeasureError(BenchError, RuntimeError):
    """Something could not be timed."""


class StoreError(BenchError, RuntimeError):
    """The database cannot be opened, read or written."""


class FleetError(BenchError, RuntimeError):
    """A remote runner, a token or a job cannot do what was asked for."""


class SearchError(BenchError, RuntimeError):
    """A search cannot start or go on."""


class ReproduceError(BenchError, RuntimeError):
    """A published figure cannot be checked as it was asked for."""


class ConfigError(BenchError, ValueError):
    """A setting or a flag is not valid."""


class ContentError(BenchError, FileNotFoundError):
    """A shipped file, or one named by the user, is not there."""


class MissingExtra(BenchError, ImportError):
    """An optional package is needed and not installed."""


def nearest(word: str, known: Iterable[str]) -> str:
    """`"; did you mean 'x'?"` for the known word nearest to `word`, or an empty string."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
