from __future__ import annotations

import getpass
import json
import platform

from bench.measure import fingerprint, same_conditions


def test_fingerprint_is_plain_and_stable() -> None:
    first = fingerprint(runtime="onnxruntime", threads=1)
    assert json.loads(json.dumps(first)) == first
    assert same_conditions(first, fingerprint(runtime="onnxruntime", threads=1)) == ()


def test_fingerprint_names_machine_and_software() -> None:
    found = fingerprint(runtime="onnxruntime", threads=2)
    assert found["machine"]["cpu"]
    assert found["machine"]["logical_cpus"] >= 1
    assert found["machine"]["memory_mib"] > 100
    assert found["software"]["python"] == platform.python_version()
    assert found["software"]["onnxruntime"]
    assert "torch" not in found["software"]  # its version does not change what ONNX Runtime takes
    assert fingerprint()["software"]["torch"]


def test_fingerprint_names_nobody() -> None:
    text = json.dumps(fingerprint())
    assert platform.node() not in text.split('"')
    assert getpass.getuser() not in text.split('"')


def test_differences_are_named() -> None:
    first = fingerprint(runtime="onnxruntime", threads=1)
    second = fingerprint(runtime="onnxruntime", threads=2)
    second["machine"]["cpu"] = "abacus"
    lines = same_conditions(first, second)
    assert len(lines) == 2
    assert lines[0] == f"machine.cpu: {first['machine']['cpu']!r} and 'abacus'"
    assert lines[1] == "threads: 1 and 2"


def test_key_that_only_one_has_is_a_difference() -> None:
    assert same_conditions({"a": {"b": 1}}, {}) == ("a.b: 1 and None",)
