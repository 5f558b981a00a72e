"""What this machine can time on: its CPU with the instructions that decide the speed of inference, and its GPUs."""

from __future__ import annotations

import platform
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.measure.fingerprint import fingerprint
from bench.measure.gpu import gpus

# As /proc/cpuinfo (x86-64, Arm) and sysctl (macOS) spell them -> as people do.
_INSTRUCTIONS: Mapping[str, str] = {
    "avx2": "AVX2",
    "avx_vnni": "AVX-VNNI",
    "avx512f": "AVX-512",
    "avx512_vnni": "AVX-512 VNNI",
    "avx512_bf16": "AVX-512 BF16",
    "avx512_fp16": "AVX-512 FP16",
    "amx_int8": "AMX INT8",
    "amx_bf16": "AMX BF16",
    "amx_fp16": "AMX FP16",
    "asimd": "NEON",
    "asimdhp": "NEON FP16",
    "asimddp": "NEON dot product",
    "i8mm": "NEON I8MM",
    "bf16": "NEON BF16",
    "sve": "SVE",
    "sve2": "SVE2",
    "sme": "SME",
    "hw.optional.AdvSIMD": "NEON",
    "hw.optional.arm.FEAT_FP16": "NEON FP16",
    "hw.optional.arm.FEAT_DotProd": "NEON dot product",
    "hw.optional.arm.FEAT_I8MM": "NEON I8MM",
    "hw.optional.arm.FEAT_BF16": "NEON BF16",
    "hw.optional.arm.FEAT_SME": "SME",
    "hw.optional.avx2_0": "AVX2",
    "hw.optional.avx512f": "AVX-512",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One device.

    Attributes:
        runner: that times on it: "cpu", "cuda" or "apple".
        name: model.
        details: what decides its speed, in words.
    """

    runner: str
    name: str
    details: tuple[str, ...]


def devices() -> tuple[Device, ...]:
    """Those of this machine, the CPU first."""
    machine = fingerprint()["machine"]
    name = str(machine["cpu"])
    found = [Device(runner="cpu", name=name, details=(_size(machine["logical_cpus"]), *instructions()))]
    found += [
        Device(runner="cuda", name=gpu.name, details=(f"{gpu.memory_mib / 1024:.0f} GiB", f"driver {gpu.driver}"))
        for gpu in gpus()
    ]
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        found.append(Device(runner="apple", name=name, details=("GPU", "Neural Engine")))
    return tuple(found)


def instructions(cpuinfo: str | None = None) -> tuple[str, ...]:
    """The instructions of `_INSTRUCTIONS` that the CPU has; `cpuinfo` is the text of /proc/cpuinfo."""
    text = _cpuinfo() if cpuinfo is None else cpuinfo
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    words = set(found[1].split()) if found else _sysctl()
    return tuple(dict.fromkeys(name for word, name in _INSTRUCTIONS.items() if word in words))


def num_cores(cpuinfo: str) -> int | None:
    """Physical cores; None where /proc/cpuinfo does not tell (Arm, macOS)."""
    pairs = re.findall(r"^physical id\s*: (\d+)$.*?^core id\s*: (\d+)$", cpuinfo, re.MULTILINE | re.DOTALL)
    return len(set(pairs)) or None


def _size(num_cpus: int) -> str:
    cores = num_cores(_cpuinfo())
    return f"{num_cpus} CPUs" if cores is None else f"{num_cpus} CPUs on {cores} cores"


def _cpuinfo() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _sysctl() -> set[str]:
    """The names that macOS answers with 1."""
    if platform.system() != "Darwin":
        return set()
    names = [name for name in _INSTRUCTIONS if name.startswith("hw.")]
    asked = subprocess.run(["/usr/sbin/sysctl", *names], capture_output=True, text=True, check=False)
    return set(re.findall(r"^(\S+): 1$", asked.stdout, re.MULTILINE))
