"""Ray's processes: a cluster by its address, or one of our own on loopback, and whether they live."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

from bench.errors import SearchError

# Read by Ray at import or start: no reports to outside, no files beside the study, results one by one.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_TRAIN_V2_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_RESULT_BUFFER_LENGTH": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # While registered runners measure, nothing may be started here for hours; Ray would warn of missing resources,
    # and looks for a trial to warn of even where there is none yet.
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "1e12",
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S_AUTOSCALER": "1e12",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Workers stay where the command was given, so that relative places mean the same there.
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    # Its default of 15 would let any other process disturb what is timed.
    "RAY_worker_niceness": "0",
    # Activations are freed and asked for again each step; glibc would hand large ones back to the kernel every time.
    # T8 at 64 px, one thread: 71 pictures/s without, 90 with (2026-11, beside other work).
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 32),
}


# Without these a local Ray listens on all interfaces, whatever address its node is given.
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


def environment(ray_address: str | None) -> dict[str, str]:
    """What Ray reads at import and start, here and in its workers."""
    return _ENVIRONMENT | (_LOOPBACK if ray_address is None else {})


@contextlib.contextmanager
def connected(address: str | None, concurrency: int) -> Iterator[None]:
    """Ray while it is needed: a cluster by its address, or one of our own for `concurrency` jobs, on loopback.

    Raises:
        SearchError: it cannot start or cannot be reached.
    """
    import ray

    # What went wrong in a trial comes as an update or as the end of its worker; Ray's own words repeat it.
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    options: dict[str, Any] = {
        "log_to_driver": False,
        "logging_level": logging.CRITICAL,
        "configure_logging": True,
    }
    if address is None:
        # Loopback only; a small object store, since jobs and updates are small.
        options |= {
            "num_cpus": concurrency,
            "include_dashboard": False,
            "_node_ip_address": "127.0.0.1",
            "object_store_memory": 128 * 1024 * 1024,
            "address": "local",
        }
    else:
        options["address"] = address
    try:
        ray.init(**options)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        where = f"reach Ray at {address!r}" if address else "start Ray on this machine"
        raise SearchError(
            f"cannot {where} ({' '.join(str(error).split())[:200]}); check --ray-address, or leave it out"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def is_alive() -> bool:
    """Whether a node of the connected Ray can still run anything."""
    import ray

    return any(node["Alive"] for node in ray.nodes())
