from __future__ import annotations

from bench.measure.devices import devices, instructions, num_cores

XEON = """processor\t: 0
model name\t: Abacus
physical id\t: 0
core id\t\t: 0
flags\t\t: fpu sse2 avx2 avx512f avx512_vnni amx_tile amx_int8 hypervisor

processor\t: 1
physical id\t: 0
core id\t\t: 0
flags\t\t: fpu

processor\t: 2
physical id\t: 1
core id\t\t: 0
"""
PI = "processor\t: 0\nFeatures\t: fp asimd evtstrm crc32 asimdhp asimddp\nCPU part\t: 0xd0b\n"


def test_instructions_that_matter() -> None:
    assert instructions(XEON) == ("AVX2", "AVX-512", "AVX-512 VNNI", "AMX INT8")
    assert instructions(PI) == ("NEON", "NEON FP16", "NEON dot product")


def test_cores_are_counted_once() -> None:
    assert num_cores(XEON) == 2
    assert num_cores(PI) is None


def test_this_machine_has_a_cpu() -> None:
    first, *rest = devices()
    assert first.runner == "cpu"
    assert first.name
    assert "CPUs" in first.details[0]
    assert {device.runner for device in rest} <= {"cuda", "apple"}
