"""Times artifacts: fresh child processes, interleaved with a pinned reference, all raw samples kept."""

from bench.measure.exclusive import exclusive, shared
from bench.measure.fingerprint import fingerprint, same_conditions
from bench.measure.job import Job, JobArtifact
from bench.measure.measurement import Measurement
from bench.measure.protocol import measure
from bench.measure.runners import Runner, resolve_runner
from bench.measure.stats import Summary, summarise

__all__ = [
    "Job",
    "JobArtifact",
    "Measurement",
    "Runner",
    "Summary",
    "exclusive",
    "fingerprint",
    "measure",
    "resolve_runner",
    "same_conditions",
    "shared",
    "summarise",
]
