"""Whether this machine is fit to measure now: one line for each thing that moves milliseconds, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bench.measure.health import MOST_OTHERS, GpuWindow, Window, gpu_throttling

OK, WARN, BAD = "ok", "warn", "bad"

# Of one core: a neighbour that is busy half of the time leaves no block alone.
_BAD_OTHERS = 0.5
# A host of one's own has none.
_SOME_STEAL, _BAD_STEAL = 0.005, 0.05
# Kernel documentation (accounting/psi): the share of time in which something runnable had to wait.
_MOST_PRESSURE = 0.1
_HOT_C, _TOO_HOT_C = 85, 95
_LITTLE_MIB, _TOO_LITTLE_MIB = 2048, 512
_MOST_NAMED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding.

    Attributes:
        name: what was looked at.
        status: "ok", "warn" or "bad".
        finding: what was found, in words.
        advice: what to do about it; None where nothing is to be done.
    """

    name: str
    status: str
    finding: str
    advice: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What is known of the machine beside a look at its health; None is what it does not tell.

    Attributes:
        others: names of other processes at work and their shares of a core, most first.
        num_cpus: that this process may use.
        limit_cores: CPU time that its control group allows.
        governor: of the CPU's frequency.
        highest_mhz: what the CPU is allowed and what it is able to do.
        memory_free_mib: without swapping.
        is_virtual: whether a hypervisor lies below.
        is_persistent: whether the NVIDIA driver stays loaded.
    """

    others: tuple[tuple[str, float], ...]
    num_cpus: int
    limit_cores: float | None
    governor: str | None
    highest_mhz: tuple[float, float] | None
    memory_free_mib: float | None
    is_virtual: bool
    is_persistent: bool | None


def checks(window: Window, conditions: Conditions) -> tuple[Check, ...]:
    """All that apply to this machine, what moves milliseconds most first."""
    return (
        _others(window, conditions),
        _steal(window),
        _pressure(window),
        _cpus(window, conditions),
        _governor(conditions),
        _frequency(window, conditions),
        _temperature(window),
        _memory(conditions),
        _virtual(conditions),
        *_gpu(window, conditions),
    )


def fitness(found: Iterable[Check]) -> str:
    """The sum of all: "yes", "yes, with care" or "no"."""
    worst = {check.status for check in found}
    return "no" if BAD in worst else "yes, with care" if WARN in worst else "yes"


def _others(window: Window, conditions: Conditions) -> Check:
    if window.others is None:
        return Check(name="other work", status=WARN, finding="not told by this system", advice="pip install psutil")
    status = _grade(window.others - window.uncertainty, MOST_OTHERS, _BAD_OTHERS)
    named = ", ".join(f"{name} {share:.2f}" for name, share in conditions.others[:_MOST_NAMED])
    finding = f"{window.others:.2f} cores" + (f": {named}" if named else "")
    advice = "stop it, or wait" if named else "it is outside this container, or short-lived: stop it, or wait"
    return Check(name="other work", status=status, finding=finding, advice=None if status == OK else advice)


def _steal(window: Window) -> Check:
    status = _grade(window.steal - window.uncertainty, _SOME_STEAL, _BAD_STEAL)
    advice = None if status == OK else "other guests use this host: measure later, or on a host of its own"
    return Check(name="steal", status=status, finding=f"{100 * window.steal:.1f} % of a core", advice=advice)


def _pressure(window: Window) -> Check:
    if window.pressure is None:
        return Check(name="pressure", status=OK, finding="not told by this system", advice=None)
    status = _grade(window.pressure, _MOST_PRESSURE, 1.0)
    advice = None if status == OK else "more runs here than there are CPUs: wait"
    finding = f"something waited for a CPU in {100 * window.pressure:.1f} % of the time"
    return Check(name="pressure", status=status, finding=finding, advice=advice)


def _cpus(window: Window, conditions: Conditions) -> Check:
    limit = conditions.limit_cores
    finding = f"{conditions.num_cpus} to use" + ("" if limit is None else f", but no more time than {limit:.2g} have")
    status, advice = OK, None
    if window.throttled:
        status, advice = BAD, f"the limit stopped this process {window.throttled} times: raise it (cgroup cpu.max)"
    elif limit is not None and limit < conditions.num_cpus:
        status, advice = WARN, "what runs past the limit is stopped: give whole CPUs instead (cpuset)"
    elif conditions.num_cpus < 2:
        status, advice = WARN, "the only one is shared with everything else: use two or more"
    return Check(name="CPUs", status=status, finding=finding, advice=advice)


def _governor(conditions: Conditions) -> Check:
    governor = conditions.governor
    if governor is None:
        return Check(name="governor", status=OK, finding="none that this system can set", advice=None)
    if governor == "performance":
        return Check(name="governor", status=OK, finding=governor, advice=None)
    advice = "sudo cpupower frequency-set -g performance"
    return Check(name="governor", status=WARN, finding=governor, advice=advice)


def _frequency(window: Window, conditions: Conditions) -> Check:
    now = "" if window.mhz_low is None else f"{window.mhz_low:.0f} MHz now"
    if conditions.highest_mhz is None:
        return Check(name="frequency", status=OK, finding=now or "not told by this system", advice=None)
    allowed, able = conditions.highest_mhz
    finding = f"up to {allowed:.0f} of {able:.0f} MHz" + (f", {now}" if now else "")
    advice = f"sudo cpupower frequency-set -u {able:.0f}MHz" if allowed < able else None
    return Check(name="frequency", status=WARN if allowed < able else OK, finding=finding, advice=advice)


def _temperature(window: Window) -> Check:
    if window.celsius_max is None:
        return Check(name="temperature", status=OK, finding="not told by this system", advice=None)
    status = _grade(window.celsius_max, _HOT_C, _TOO_HOT_C)
    advice = None if status == OK else "let it cool"
    return Check(name="temperature", status=status, finding=f"{window.celsius_max:.0f} C at most", advice=advice)


def _memory(conditions: Conditions) -> Check:
    free = conditions.memory_free_mib
    if free is None:
        return Check(name="memory", status=OK, finding="not told by this system", advice=None)
    status = _grade(-free, -_LITTLE_MIB, -_TOO_LITTLE_MIB)
    advice = None if status == OK else "close something: what is timed must not swap"
    return Check(name="memory", status=status, finding=f"{free / 1024:.1f} GiB free", advice=advice)


def _virtual(conditions: Conditions) -> Check:
    if not conditions.is_virtual:
        return Check(name="virtual", status=OK, finding="no", advice=None)
    advice = "neighbours show only as steal: trust ratios more than milliseconds, repeat at another hour"
    return Check(name="virtual", status=WARN, finding="yes", advice=advice)


def _gpu(window: Window, conditions: Conditions) -> Iterator[Check]:
    for gpu in window.gpus[:1]:  # the one that runtimes use
        status, advice = _gpu_state(gpu, conditions)
        told = (
            None if gpu.sm_mhz is None else f"{gpu.sm_mhz} of {gpu.sm_max_mhz} MHz",
            "clocks set" if gpu.is_clock_set else None,
            None if gpu.celsius is None else f"{gpu.celsius} C",
            None if gpu.power_w is None else f"{gpu.power_w:.0f} W",
            ", ".join(gpu.reasons) or None,
            "others on it unknown (a container)" if gpu.foreign_processes is None else None,
        )
        yield Check(name="GPU", status=status, finding=", ".join(filter(None, told)) or gpu.name, advice=advice)


def _gpu_state(gpu: GpuWindow, conditions: Conditions) -> tuple[str, str | None]:
    if gpu.foreign_processes:
        ids = ", ".join(map(str, gpu.foreign_processes[:_MOST_NAMED]))
        return BAD, f"other processes compute on it (id {ids}): stop them, or choose another by CUDA_VISIBLE_DEVICES"
    if gpu_throttling(gpu):
        return BAD, "it is slowed: let it cool, and look at its power limit (nvidia-smi -q -d PERFORMANCE)"
    if conditions.is_persistent is False:
        return WARN, "sudo nvidia-smi -pm 1 keeps its driver loaded"
    return OK, None


def _grade(value: float, warn: float, bad: float) -> str:
    return BAD if value > bad else WARN if value > warn else OK
