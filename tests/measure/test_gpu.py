from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from bench.measure.gpu import Gpu, gpus

# The management library's own signatures, with one made-up device behind them.
LIBRARY = r"""
#include <string.h>
typedef struct { unsigned long long total, free, used; } memory_t;
int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 1; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
    *device = (void *)(0x123456789abcUL + index);
    return 0; }
int nvmlDeviceGetName(void *device, char *name, unsigned length) {
    if (device != (void *)0x123456789abcUL || length < 32) return 2;
    strcpy(name, "Abacus 9000"); return 0; }
int nvmlSystemGetDriverVersion(char *version, unsigned length) { strcpy(version, "600.1"); return 0; }
int nvmlDeviceGetMemoryInfo(void *device, memory_t *memory) { memory->total = 8ULL << 30; return 0; }
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler for a stand-in of the driver's library")
    folder: Path = tmp_path_factory.mktemp("nvml")
    (folder / "nvml.c").write_text(LIBRARY)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", folder / "nvml.so", folder / "nvml.c"], check=True)
    return str(folder / "nvml.so")


def test_machine_without_a_driver_has_no_gpu() -> None:
    assert gpus("no-such-library.so") == ()


def test_gpu_is_described_by_its_driver(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert gpus(library) == (Gpu(name="Abacus 9000", driver="600.1", memory_mib=8192),)


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_hidden_gpus_are_none(library: str, monkeypatch: pytest.MonkeyPatch, hidden: str) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert gpus(library) == ()
