from __future__ import annotations

import dataclasses

import pytest

from bench.measure.fitness import Check, Conditions, checks, fitness

from .test_health import window, with_gpu

# A machine of one's own with nothing else on it.
GOOD = Conditions(
    others=(),
    num_cpus=8,
    limit_cores=None,
    governor="performance",
    highest_mhz=(3500.0, 3500.0),
    memory_free_mib=16000.0,
    is_virtual=False,
    is_persistent=True,
)
CALM = window(gpus=(), pressure=0.0)


def found(name: str, /, of_window: dict[str, object] | None = None, **conditions: object) -> Check:
    window = dataclasses.replace(CALM, **(of_window or {}))  # type: ignore[arg-type]
    made = checks(window, dataclasses.replace(GOOD, **conditions))  # type: ignore[arg-type]
    return next(check for check in made if check.name == name)


def test_good_machine_is_fit() -> None:
    made = checks(CALM, GOOD)
    assert {check.status for check in made} == {"ok"}
    assert {check.advice for check in made} == {None}
    assert fitness(made) == "yes"


@pytest.mark.parametrize(
    ("name", "of_window", "conditions", "status", "words"),
    [
        ("other work", {"others": 0.2}, {"others": (("cc1", 0.19),)}, "warn", "0.20 cores: cc1 0.19"),
        ("other work", {"others": 0.05}, {}, "ok", "0.05 cores"),
        ("other work", {"others": 1.5}, {}, "bad", "outside this container"),
        ("other work", {"others": None}, {}, "warn", "pip install psutil"),
        ("steal", {"steal": 0.03}, {}, "warn", "3.0 % of a core"),
        ("steal", {"steal": 0.3}, {}, "bad", "other guests"),
        ("pressure", {"pressure": 0.2}, {}, "warn", "20.0 % of the time"),
        ("pressure", {"pressure": None}, {}, "ok", "not told"),
        ("CPUs", {}, {"num_cpus": 1}, "warn", "use two or more"),
        ("CPUs", {}, {"limit_cores": 1.5}, "warn", "8 to use, but no more time than 1.5 have"),
        ("CPUs", {}, {"limit_cores": 8.0}, "ok", "8 to use"),
        ("CPUs", {"throttled": 3}, {"limit_cores": 1.5}, "bad", "stopped this process 3 times"),
        ("governor", {}, {"governor": "powersave"}, "warn", "cpupower frequency-set -g performance"),
        ("governor", {}, {"governor": None}, "ok", "none"),
        ("frequency", {}, {"highest_mhz": (2000.0, 3500.0)}, "warn", "up to 2000 of 3500 MHz, 2900 MHz now"),
        ("frequency", {"mhz_low": None}, {"highest_mhz": None}, "ok", "not told"),
        ("temperature", {"celsius_max": 90.0}, {}, "warn", "90 C"),
        ("temperature", {"celsius_max": 99.0}, {}, "bad", "let it cool"),
        ("temperature", {"celsius_max": None}, {}, "ok", "not told"),
        ("memory", {}, {"memory_free_mib": 1024.0}, "warn", "1.0 GiB free"),
        ("memory", {}, {"memory_free_mib": 100.0}, "bad", "must not swap"),
        ("memory", {}, {"memory_free_mib": None}, "ok", "not told"),
        ("virtual", {}, {"is_virtual": True}, "warn", "neighbours"),
    ],
)
def test_findings(
    name: str, of_window: dict[str, object], conditions: dict[str, object], status: str, words: str
) -> None:
    check = found(name, of_window, **conditions)
    assert check.status == status
    assert (check.advice is None) == (status == "ok")
    assert words in f"{check.finding}; {check.advice}"


@pytest.mark.parametrize(
    ("gpu", "is_persistent", "status", "words"),
    [
        ({}, True, "ok", "1900 of 1980 MHz, 50 C, 300 W"),
        ({}, None, "ok", ""),
        ({}, False, "warn", "sudo nvidia-smi -pm 1"),
        ({"foreign_processes": (7,)}, True, "bad", "id 7"),
        ({"reasons": ("power cap",)}, True, "bad", "power cap"),
        ({"reasons": ("application clocks setting",)}, True, "ok", "clocks set"),
    ],
)
def test_gpu(gpu: dict[str, object], is_persistent: bool | None, status: str, words: str) -> None:
    check = found("GPU", {"gpus": with_gpu(**gpu).gpus}, is_persistent=is_persistent)
    assert check.status == status
    assert words in f"{check.finding}; {check.advice}"


def test_machine_without_a_gpu_has_no_line_for_it() -> None:
    assert "GPU" not in {check.name for check in checks(CALM, GOOD)}


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [(("ok",), "yes"), (("ok", "warn"), "yes, with care"), (("warn", "bad", "ok"), "no")],
)
def test_fitness_is_that_of_the_worst(statuses: tuple[str, ...], expected: str) -> None:
    made = [Check(name="x", status=status, finding="", advice=None) for status in statuses]
    assert fitness(made) == expected
