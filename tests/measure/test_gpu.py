from __future__ import annotations

import ctypes
import dataclasses
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.measure.gpu import Gpu, GpuReading, Nvml, gpus

# The management library's own signatures, with two made-up devices behind them. -DOLD is a driver before 535.
LIBRARY = r"""
#include <stdint.h>
#include <string.h>
typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned pid; unsigned long long memory; unsigned gpu, compute; } process_t;
unsigned long long reasons = 0x1;
unsigned processes = 2;
int opened = 0;
#define FIRST 0x123456789abcUL
static int known(void *device) { return device == (void *)FIRST || device == (void *)(FIRST + 1); }
int nvmlInit_v2(void) { opened++; return 0; }
int nvmlShutdown(void) { opened--; return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) { *device = (void *)(FIRST + index); return 0; }
int nvmlDeviceGetHandleByUUID(const char *uuid, void **device) {
    *device = (void *)(FIRST + 1); return strcmp(uuid, "GPU-b") ? 6 : 0; }
int nvmlDeviceGetName(void *device, char *name, unsigned length) {
    if (!known(device) || length < 32) return 2;
    strcpy(name, device == (void *)FIRST ? "Abacus 9000" : "Abacus 100"); return 0; }
int nvmlSystemGetDriverVersion(char *version, unsigned length) { strcpy(version, "600.1"); return 0; }
int nvmlDeviceGetMemoryInfo(void *device, memory_t *memory) {
    memory->total = 8ULL << 30; return known(device) ? 0 : 2; }
int nvmlDeviceGetClockInfo(void *device, unsigned kind, unsigned *mhz) {
    *mhz = 1410; return known(device) && kind == 1 ? 0 : 2; }
int nvmlDeviceGetMaxClockInfo(void *device, unsigned kind, unsigned *mhz) {
    *mhz = 1980; return known(device) && kind == 1 ? 0 : 2; }
int nvmlDeviceGetTemperature(void *device, unsigned sensor, unsigned *celsius) {
    *celsius = 41; return known(device) && sensor == 0 ? 0 : 2; }
int nvmlDeviceGetPowerUsage(void *device, unsigned *mw) { *mw = 71500; return known(device) ? 0 : 2; }
int nvmlDeviceGetPersistenceMode(void *device, unsigned *mode) { *mode = 0; return known(device) ? 0 : 2; }
static int fill(unsigned *count, process_t *found) {
    unsigned room = *count;
    *count = processes;
    if (room < processes) return 7;
    for (unsigned i = 0; i < processes; i++) found[i] = (process_t){.pid = 4000 - i, .memory = 1ULL << 33, .gpu = ~0u};
    return 0; }
#ifdef OLD
int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *mask) { *mask = reasons; return 0; }
int nvmlDeviceGetComputeRunningProcesses_v2(void *device, unsigned *count, process_t *found) {
    return fill(count, found); }
#else
int nvmlDeviceGetCurrentClocksEventReasons(void *device, unsigned long long *mask) { *mask = reasons; return 0; }
int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, process_t *found) {
    return fill(count, found); }
#endif
"""
# A driver that answers nothing but its own name.
MUTE = r"""
int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 1; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) { *device = (void *)1; return 0; }
int nvmlDeviceGetPowerUsage(void *device, unsigned *mw) { *mw = 5; return 3; }
"""
NEW = GpuReading(
    name="Abacus 9000",
    sm_mhz=1410,
    sm_max_mhz=1980,
    celsius=41,
    power_w=71.5,
    reasons=("idle",),
    is_persistent=False,
    foreign_processes=(3999, 4000),
)

Build = Callable[..., str]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Compiles a stand-in of the driver's library."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler for a stand-in of the driver's library")
    folder: Path = tmp_path_factory.mktemp("nvml")

    def make(name: str, source: str, *flags: str) -> str:
        path = folder / f"{name}.so"
        if not path.exists():
            (folder / f"{name}.c").write_text(source)
            subprocess.run([compiler, "-shared", "-fPIC", *flags, "-o", path, folder / f"{name}.c"], check=True)
        return str(path)

    return make


@pytest.fixture
def library(build: Build, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    path = build("nvml", LIBRARY)
    set_value(path, "reasons", 0x1)
    set_value(path, "processes", 2)
    return path


def set_value(library: str, name: str, value: int) -> None:
    """A variable of a library that is loaded once for all."""
    kind = ctypes.c_ulonglong if name == "reasons" else ctypes.c_uint
    kind.in_dll(ctypes.CDLL(library), name).value = value


def names(library: str) -> list[str]:
    return [gpu.name for gpu in gpus(library)]


def test_machine_without_a_driver_has_no_gpu() -> None:
    assert gpus("no-such-library.so") == ()
    assert Nvml("no-such-library.so").read() == ()


def test_gpu_is_described_by_its_driver(library: str) -> None:
    assert gpus(library)[0] == Gpu(name="Abacus 9000", driver="600.1", memory_mib=8192)
    assert names(library) == ["Abacus 9000", "Abacus 100"]
    assert ctypes.c_int.in_dll(ctypes.CDLL(library), "opened").value == 0  # as often closed as opened


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("", []),
        ("-1", []),
        ("1", ["Abacus 100"]),
        (" 1 , 0 ", ["Abacus 100", "Abacus 9000"]),
        ("0,-1,1", ["Abacus 9000"]),
        ("0,7,1", ["Abacus 9000"]),
        ("GPU-b", ["Abacus 100"]),
        ("GPU-x,0", []),
    ],
)
def test_only_visible_gpus_are_seen_in_their_order(
    library: str, monkeypatch: pytest.MonkeyPatch, visible: str, expected: list[str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert names(library) == expected


def test_reading(library: str) -> None:
    nvml = Nvml(library)
    first, second = nvml.read(is_host=True)
    assert first == NEW
    assert second == dataclasses.replace(NEW, name="Abacus 100")
    nvml.close()
    assert nvml.read() == ()


def test_reading_by_an_older_driver(build: Build, library: str) -> None:
    assert Nvml(build("old", LIBRARY, "-DOLD")).read(is_host=True)[0] == NEW


def test_own_processes_are_not_foreign(library: str) -> None:
    nvml = Nvml(library)
    assert nvml.read({4000}, is_host=True)[0].foreign_processes == (3999,)
    set_value(library, "processes", 0)
    assert nvml.read({4000}, is_host=True)[0].foreign_processes == ()


def test_container_knows_no_foreign_processes(library: str) -> None:
    assert Nvml(library).read(is_host=False)[0].foreign_processes is None


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (0, ()),
        (0x2, ("application clocks setting",)),
        (0x4, ("power cap",)),
        (0x48, ("hardware slowdown", "thermal slowdown by the hardware")),
        (0xA0, ("thermal slowdown by the driver", "power brake")),
        (0x1001, ("idle", "reason 0x1000")),
    ],
)
def test_reasons_are_words(library: str, mask: int, words: tuple[str, ...]) -> None:
    set_value(library, "reasons", mask)
    assert Nvml(library).read()[0].reasons == words


def test_driver_that_tells_nothing(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (reading,) = Nvml(build("mute", MUTE)).read(is_host=True)
    nothing = dict.fromkeys(field.name for field in dataclasses.fields(GpuReading))
    assert dataclasses.asdict(reading) == nothing | {"name": "", "reasons": ()}
