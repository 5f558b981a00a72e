"""Times artifacts: fresh child processes, interleaved with a pinned reference, all raw samples kept."""

from bench.measure.artifacts import REFERENCE, file_artifact, make_artifact, make_form
from bench.measure.comparison import Comparison, compare, why_not_comparable
from bench.measure.exclusive import exclusive, shared
from bench.measure.fingerprint import fingerprint, same_conditions
from bench.measure.job import FULL, Job, JobArtifact, Setup
from bench.measure.measurement import Measurement
from bench.measure.protocol import measure
from bench.measure.runners import Runner, resolve_runner
from bench.measure.stats import Summary, summarise

__all__ = [
    "FULL",
    "REFERENCE",
    "Comparison",
    "Job",
    "JobArtifact",
    "Measurement",
    "Runner",
    "Setup",
    "Summary",
    "compare",
    "exclusive",
    "file_artifact",
    "fingerprint",
    "make_artifact",
    "make_form",
    "measure",
    "resolve_runner",
    "same_conditions",
    "shared",
    "summarise",
    "why_not_comparable",
]
