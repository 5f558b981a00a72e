from __future__ import annotations

import dataclasses
import json
import os
import signal
from pathlib import Path

import numpy as np
import onnx
import psutil
import pytest
from onnx import TensorProto, helper

from bench.measure import JobArtifact, Measurement, Setup, compare, measure, summarise
from bench.measure.child import WORKER
from bench.measure.protocol import _measure
from bench.measure.restart import visiting_order

from .conftest import RESOLUTION, MakeJob, MakeOnnx, artifact_of, busy_process, write_onnx

pytestmark = pytest.mark.alone


def scripted_artifact(label: str) -> JobArtifact:
    return JobArtifact(label=label, path="nowhere", format="onnx", sha256="0" * 64, is_checked=True)


def by_label(measurements: tuple[Measurement, ...]) -> dict[str, Measurement]:
    return {measurement.label: measurement for measurement in measurements}


def test_every_artifact_is_timed_in_every_process_and_block(job: MakeJob, convolution: MakeOnnx) -> None:
    # Two at most: a busy machine would have disturbed ones made up for.
    work = job(convolution("a"), convolution("b", layers=2), restarts=2, most_restarts=2, blocks=3, iterations=4)
    measurements = measure(work)
    assert [measurement.label for measurement in measurements] == ["a", "b"]
    for measurement in measurements:
        assert measurement.has_figures, measurement.reason
        assert np.array(measurement.samples).shape == (2, 3, 4)
        assert np.array(measurement.reference_samples).shape == (2, 3, 4)
        assert measurement.fingerprint["loaded"]["onnxruntime"]
        assert len(measurement.protocol["processes"]) == 2
        assert measurement.protocol["processes"][0]["warmup"]
        assert summarise(measurement).num_samples == 24
    assert Measurement.from_dict(json.loads(json.dumps(measurements[0].to_dict()))) == measurements[0]


def test_twin_is_the_reference_loaded_once_more(job: MakeJob, convolution: MakeOnnx) -> None:
    for twin, processes in (("always", [2, 2]), ("first", [2, 0]), ("never", [0, 0])):
        (measurement,) = measure(job(convolution("a"), restarts=2, most_restarts=2, twin=twin))
        assert [len(process) for process in measurement.twin_samples] == processes
        assert (summarise(measurement).noise_floor is None) == (twin == "never")


def test_restarts_go_on_until_the_target_is_met_or_the_number_is(job: MakeJob, convolution: MakeOnnx) -> None:
    aims = {"restarts": 2, "most_restarts": 4, "blocks": 2}
    (missed,) = measure(job(convolution("a"), target=1e-9, **aims))
    assert len(missed.samples) == 4
    assert missed.verdict in ("not_converged", "contended", "throttled")
    (met,) = measure(job(convolution("a"), target=10.0, **aims))
    # Disturbed ones are made up for, which a busy machine can bring about.
    assert len(met.samples) == 2 or any(flag for process in met.contended for flag in process)
    (late,) = measure(job(convolution("a"), target=1e-9, limit_s=1e-6, **aims))
    assert len(late.samples) == 1
    if not any(late.contended[0]):  # which is told of first
        assert late.verdict == "not_converged"
        assert "1 restarts of at least 2 before the time was over" in (late.reason or "")


def test_visit_is_made_as_long_as_asked_for(job: MakeJob, convolution: MakeOnnx) -> None:
    (measurement,) = measure(job(convolution("a"), visit_ms=2.0, restarts=2))
    runs = {len(block) for process in measurement.samples for block in process}
    assert len(runs) == 1  # the same in all blocks
    assert runs.pop() > 2


def test_wrong_output_is_found_however_fast(job: MakeJob, convolution: MakeOnnx) -> None:
    shape = 3 * RESOLUTION * RESOLUTION
    wrong = dataclasses.replace(convolution("wrong"), logits=(0.5,) * shape)
    short = dataclasses.replace(convolution("short"), logits=(0.5,) * 7)
    done = by_label(measure(job(wrong, short, convolution("unknown"))))
    assert (done["wrong"].verdict, done["short"].verdict) == ("wrong_output", "wrong_output")
    assert "differs from the network's by" in (done["wrong"].reason or "")
    assert done["short"].reason == f"its output has {shape} numbers, the network's has 7 (restart 1 of 1)"
    assert done["unknown"].protocol["output"] == {"is_checked": False, "errors": [None]}


def test_file_of_unknown_origin_is_held_to_what_it_computes_unoptimised(job: MakeJob, convolution: MakeOnnx) -> None:
    foreign = dataclasses.replace(convolution("foreign", layers=3), is_checked=False)
    (measurement,) = measure(job(foreign))
    assert measurement.has_figures, measurement.reason
    assert measurement.protocol["output"]["is_checked"]
    assert max(measurement.protocol["output"]["errors"]) < 1e-4


def test_two_runtimes_are_interleaved_in_one_session(job: MakeJob, convolution: MakeOnnx) -> None:
    setups = [Setup(runtime="onnxruntime", threads=threads) for threads in (1, 2)]
    artifacts = [dataclasses.replace(convolution(f"on{setup.threads}"), setup=setup) for setup in setups]
    one, two = measure(job(*artifacts))
    assert (one.threads, two.threads) == (1, 2)
    assert one.session == two.session
    assert one.has_figures
    assert two.has_figures
    assert compare(one, two).ratio > 0


def test_others_that_use_the_cpu_are_noticed_and_their_blocks_repeated(job: MakeJob, convolution: MakeOnnx) -> None:
    slow = convolution("slow", layers=40)
    with busy_process():
        (measurement,) = measure(job(slow, blocks=4, visit_ms=150.0, repeats=True))
    assert measurement.verdict == "contended", measurement.reason
    assert "of 24 blocks" in (measurement.reason or "")
    # Four blocks and their repetition, in each of the restarts that were made up for the first.
    assert measurement.contended == ((True,) * 8,) * 3
    assert measurement.has_figures


def test_known_difference_is_found(job: MakeJob, convolution: MakeOnnx) -> None:
    slow = convolution("slow", layers=40)
    (measurement,) = measure(job(slow, restarts=2, blocks=4, iterations=8))
    assert summarise(measurement).ratio_low > 2


def test_progress_counts_to_the_end(job: MakeJob, convolution: MakeOnnx) -> None:
    seen: list[tuple[int, int]] = []
    measure(job(convolution("a")), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(step, 8) for step in range(1, 9)]  # load and warm up, then two blocks, each of two artifacts


def test_order_is_random_balanced_and_seeded() -> None:
    orders = list(visiting_order(5, 6, seed=(1, 2)))
    assert all(sorted(order) == list(range(5)) for order in orders)
    assert orders[1] == orders[0][::-1]
    assert orders[3] == orders[2][::-1]
    assert orders[2] != orders[0]
    assert orders == list(visiting_order(5, 6, seed=(1, 2)))
    assert orders != list(visiting_order(5, 6, seed=(1, 3)))


def test_child_killed_from_outside_fails_what_it_was_busy_with(job: MakeJob, convolution: MakeOnnx) -> None:
    work = job(convolution("a"), convolution("b"), restarts=2)
    order = next(visiting_order(3, 2, seed=(work.seed, 1)))
    position = next(place for place, index in enumerate(order) if index != 0)  # the first that is not the reference
    victim = work.artifacts[order[position] - 1].label
    (survivor,) = {"a", "b"} - {victim}
    # A process has 12 steps: three are loaded, three warmed up, then two blocks of three.
    killed_after = [12 + 6 + position]

    def kill(done: int, _: int) -> None:
        if done in killed_after:
            killed_after.remove(done)
            (child,) = psutil.Process().children()
            os.kill(child.pid, signal.SIGSEGV)

    done = by_label(measure(work, progress=kill))
    lost, kept = done[victim], done[survivor]
    assert lost.verdict == "failed"
    assert lost.reason == "timing failed (restart 2 of 2): its process was ended by SIGSEGV (Segmentation fault)"
    assert np.array(lost.samples).shape == np.array(lost.reference_samples).shape == (1, 2, 2)  # nothing is lost
    assert kept.has_figures  # "contended" where others use the machine meanwhile
    assert np.array(kept.samples).shape == (2, 2, 2)
    assert kept.protocol["children_lost"] == 1


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ("crash", "warming up failed (restart 1 of 1): its process was ended by SIGSEGV (Segmentation fault)"),
        ("crash-load", "loading failed (restart 1 of 1): its process was ended by SIGSEGV (Segmentation fault)"),
        ("exit-load", "loading failed (restart 1 of 1): its process ended with status 3: out of luck"),
        ("flood", "warming up failed (restart 1 of 1): it flooded its output (over 4 MiB in one answer)"),
        ("garbage", "warming up failed (restart 1 of 1): its answer is no JSON object (or has NaN in it)"),
        ("nan", "warming up failed (restart 1 of 1): its answer is no JSON object (or has NaN in it)"),
        ("few", "warming up failed (restart 1 of 1): 3 samples were asked for and 2 samples came; mend the runtime"),
        ("none", "warming up failed (restart 1 of 1): 3 samples were asked for and none came; mend the runtime"),
        ("zero", "warming up failed (restart 1 of 1): a sample of 0 ns; a whole number above 0 is needed"),
        ("fraction", "warming up failed (restart 1 of 1): a sample of 1.5 ns; a whole number above 0 is needed"),
        ("refuse-load", "loading failed (restart 1 of 1): no such operator"),
    ],
)
def test_failure_of_one_artifact_leaves_the_others(
    job: MakeJob, scripted: tuple[str, ...], label: str, reason: str
) -> None:
    artifacts = (scripted_artifact("a"), scripted_artifact(label), scripted_artifact("b"))
    done = by_label(_measure(job(*artifacts), command=scripted, progress=None))
    assert (done[label].verdict, done[label].reason) == ("failed", reason)
    assert [done[name].has_figures for name in "ab"] == [True, True]


def test_samples_that_took_longer_than_the_clock_on_the_wall_are_refused(
    job: MakeJob, scripted: tuple[str, ...]
) -> None:
    (measurement,) = _measure(job(scripted_artifact("slow")), command=scripted, progress=None)
    assert measurement.reason is not None
    assert "samples of 3000000000000000 ns together came within" in measurement.reason


def test_hang_costs_its_own_deadline_only(job: MakeJob, scripted: tuple[str, ...]) -> None:
    artifacts = (scripted_artifact("a"), scripted_artifact("hang"), scripted_artifact("b"))
    done = by_label(_measure(job(*artifacts, deadline_s=1.0), command=scripted, progress=None))
    assert done["hang"].verdict == "failed"
    assert done["hang"].reason is not None
    assert "no answer within its deadline" in done["hang"].reason
    assert [done[name].has_figures for name in "ab"] == [True, True]


def test_failing_reference_fails_all_and_says_so(job: MakeJob, convolution: MakeOnnx, tmp_path: Path) -> None:
    work = job(convolution("a"))
    Path(work.reference.path).unlink()
    (measurement,) = measure(work)
    assert measurement.verdict == "failed"
    assert measurement.reason is not None
    assert measurement.reason.startswith("the reference 'reference' failed: loading failed (restart 1 of 1): ")
    assert "No such file" in measurement.reason


def test_child_that_cannot_start_fails_all(job: MakeJob, convolution: MakeOnnx) -> None:
    for command in (["/no/such/python"], [*WORKER[:2], "/no/such/worker.py"]):
        (measurement,) = _measure(job(convolution("a")), command=command, progress=None)
        assert measurement.reason is not None
        assert "the child process could not start (restart 1 of 1): " in measurement.reason
        assert "No such file" in measurement.reason


def test_relative_path_is_that_of_the_caller(
    job: MakeJob, convolution: MakeOnnx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    artifact = convolution("a")
    (measurement,) = measure(job(dataclasses.replace(artifact, path=Path(artifact.path).name)))
    assert measurement.has_figures


def test_damaged_file_is_a_failed_measurement(job: MakeJob, convolution: MakeOnnx, tmp_path: Path) -> None:
    path = tmp_path / "damaged.onnx"
    path.write_bytes(b"\x08\x0a" + bytes(100))
    done = by_label(measure(job(artifact_of(path), convolution("a"))))
    assert done["damaged"].reason is not None
    assert "loading failed (restart 1 of 1): InvalidProtobuf" in done["damaged"].reason
    assert done["a"].has_figures


def test_file_changed_since_the_job_was_written_is_refused(job: MakeJob, convolution: MakeOnnx) -> None:
    work = job(dataclasses.replace(convolution("a"), sha256="0" * 64))
    (measurement,) = measure(work)
    assert measurement.reason is not None
    assert "the file's sha256 is" in measurement.reason
    assert "the job says 000" in measurement.reason


def test_output_that_is_not_finite_is_a_failed_measurement(job: MakeJob, tmp_path: Path) -> None:
    node = helper.make_node("Log", ["picture"], ["logits"])
    (measurement,) = measure(job(write_onnx(tmp_path / "log.onnx", [node], {})))
    assert measurement.reason is not None
    assert "its output is not finite; check its weights" in measurement.reason


def test_wrong_resolution_is_a_failed_measurement(job: MakeJob, convolution: MakeOnnx) -> None:
    (measurement,) = measure(job(convolution("a"), resolution=2 * RESOLUTION))
    assert measurement.reason is not None
    assert "its input is [1, 3, 16, 16], the job times [1, 3, 32, 32]; give --resolution" in measurement.reason


def test_file_that_asks_for_forty_gigabytes_is_a_failed_measurement(
    job: MakeJob, convolution: MakeOnnx, tmp_path: Path
) -> None:
    # 10^10 float32 zeros, from a hundred bytes.
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
        helper.make_node("ReduceSum", ["zeros"], ["sum"], keepdims=0),
        helper.make_node("Add", ["picture", "sum"], ["logits"]),
    ]
    bomb = write_onnx(tmp_path / "bomb.onnx", nodes, {"shape": np.array([10**10], np.int64)})
    done = by_label(measure(job(bomb, convolution("a"), memory_mib=4096)))
    assert done["bomb"].verdict == "failed"
    assert done["bomb"].reason is not None
    assert done["bomb"].reason.startswith("loading failed (restart 1 of 1): ")
    assert done["a"].has_figures


def test_external_data_is_out_of_reach(job: MakeJob, tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(np.zeros((3, 3, 1, 1), np.float32).tobytes())
    tensor = TensorProto(name="kernel", data_type=TensorProto.FLOAT, dims=[3, 3, 1, 1])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="secret.bin")
    plain = write_onnx(tmp_path / "plain.onnx", [helper.make_node("Conv", ["picture", "kernel"], ["logits"])], {})
    model = onnx.load_model_from_string(Path(plain.path).read_bytes())
    model.graph.initializer.append(tensor)
    path = tmp_path / "external.onnx"
    path.write_bytes(model.SerializeToString())
    (measurement,) = measure(job(artifact_of(path)))
    assert measurement.verdict == "failed"
