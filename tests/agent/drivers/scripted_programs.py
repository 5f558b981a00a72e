"""The benchmark programs of the scripted phone: they print what the real ones print, of times that a test chose."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence

from .scripted_phone import ScriptedPhone, Shell

LITERT_LOG = """\
INFO: STARTING!
INFO: Log parameter values verbosely: [0]
INFO: Min num runs: [{runs}]
INFO: Num threads: [1]
INFO: Graph: [{graph}]
{unused}INFO: Loaded model {graph}
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
INFO: Replacing 90 out of 96 node(s) with delegate (TfLiteXNNPackDelegate) node, yielding 3 partitions for subgraph 0.
INFO: The input model file size (MB): 15.9
INFO: Initialized session in 21.432ms.
INFO: Running benchmark for at least 1 iterations and at least {warm} seconds but terminate if exceeding 120 seconds.
INFO: count=16 first=91020 curr=31300 min=30900 max=91020 avg=35125.5 std=14800 p5=30900 median=31300 p95=91020

INFO: Running benchmark for at least {runs} iterations and at least {seconds} seconds but terminate if exceeding 120 seconds.
INFO: count=50 first={low} curr={middle} min={low} max={high} avg={mean} std=13{tail}

INFO: Inference timings in us: Init: 21432, First inference: 91020, Warmup (avg): 35125.5, Inference (avg): {mean}
INFO: Note: as the benchmark tool itself affects memory footprint, the following is only APPROXIMATE to the actual memory footprint of the model at runtime. Take the information at your discretion.
INFO: Memory footprint delta from the start of the tool (MB): init=10.2 overall=12.8
"""  # noqa: E501


def litert_log(
    median_us: int, *, runs: int = 3, seconds: str = "0.2", warm: str = "0.3", is_old: bool = False, unused: str = ""
) -> str:
    """What `benchmark_model` prints; `is_old`: a build that tells no percentiles."""
    tail = "" if is_old else f" p5={median_us - 5} median={median_us} p95={median_us + 9}"
    return LITERT_LOG.format(
        runs=runs,
        graph="/data/local/tmp/model.tflite",
        unused=f"WARN: Unconsumed cmdline flags: {unused}\n" if unused else "",
        warm=warm,
        seconds=seconds,
        low=median_us - 10,
        middle=median_us,
        high=median_us + 10,
        mean=f"{median_us + 1}.5",
        tail=tail,
    )


def litert(
    times_us: Mapping[str, int],
    outputs: Mapping[str, Sequence[float]] | None = None,
    *,
    is_old: bool = False,
    knows_files: bool = True,
) -> Callable[[ScriptedPhone, list[str]], Shell]:
    """A `benchmark_model`: by the sha256 of a model its median, and the output that it writes.

    Each process takes 0.1 % longer than the one before, so that no two samples are equal.
    """
    started: list[str] = []

    def run(phone: ScriptedPhone, words: list[str]) -> Shell:
        flags = dict(word.removeprefix("--").split("=", 1) for word in words[1:])
        assert flags["graph"] in phone.files
        sha256 = flags["graph"].split("/")[-2]
        started.append(sha256)
        files = ("input_layer", "input_layer_shape", "input_layer_value_files", "output_filepath")
        unused = "" if knows_files else " ".join(f"--{name}={flags[name]}" for name in files if name in flags)
        if knows_files and "output_filepath" in flags and outputs is not None:
            values = outputs[sha256]
            phone.files[flags["output_filepath"]] = struct.pack(f"<{len(values)}f", *values)
        median_us = round(times_us[sha256] * (1 + 0.001 * (len(started) % 7)))
        text = litert_log(
            median_us,
            runs=int(flags["num_runs"]),
            seconds=f"{float(flags['min_secs']):g}",
            warm=f"{float(flags['warmup_min_secs']):g}",
            is_old=is_old,
            unused=unused,
        )
        return Shell(out=text)

    return run


def onnxruntime(times_s: Mapping[str, float]) -> Callable[[ScriptedPhone, list[str]], Shell]:
    """An `onnxruntime_perf_test`: by the sha256 of a model what a run takes; each run 0.1 % more than the last."""

    def run(phone: ScriptedPhone, words: list[str]) -> Shell:
        *options, model, result = words[1:]
        runs = int(options[options.index("-r") + 1])
        one = times_s[model.split("/")[-2]]
        lines = [f"model,{one * (1 + 0.001 * index):.6g},52428800,99,{index}" for index in range(runs)]
        assert result not in phone.files  # it appends
        phone.files[result] = "\n".join(lines).encode() + b"\n"
        return Shell(out=f"Total time cost:{one * runs}\nTotal iterations:{runs}\nAverage time cost:{one * 1e3} ms\n")

    return run
