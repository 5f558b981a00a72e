"""How much faster a search is than a plain loop over the same candidates, and what that costs.

    python -m tests.benchmarks.search_speed --budget 24 --out results/measured/DEVICE/search_speed.json

The search runs first. The loop then does what a script without this project would do with the same candidates: one
after the other, train on all pictures of the top rung with all cores, export with torch's quicker exporter, time.
Both sides share the training step and its settings, the allocator's settings and the timing protocol, so that what is
compared is the order of work. The hypervolume of the search's front is computed from the loop's scores, so that luck
in a score helps neither side.

Prints tables for people and, last, one JSON line. Takes about half an hour on two cores; the loop's finished
candidates are kept beside `--out`, so that an interrupted benchmark goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RULE = "macs_g <= 1.5"


def main() -> None:
    arguments = _arguments()
    _share_allocator_settings()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(arguments.folder or tempfile.mkdtemp(prefix="bench-speed-")).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    print(f"working in {folder}", flush=True)
    os.environ.setdefault("BENCH_CACHE", str(folder / "cache"))
    seconds = _search(arguments, folder)
    found = _study(folder)
    loop = _loop(found, arguments, folder)
    result = _result(found, loop, seconds, arguments)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    _print(result)
    print(json.dumps({key: value for key, value in result.items() if key not in ("candidates", "fingerprint")}))


def _share_allocator_settings() -> None:
    """Starts over with what a search gives its workers: glibc reads it when a process begins."""
    from bench.study.runner import environment

    wanted = {name: value for name, value in environment(None).items() if name.startswith("MALLOC_")}
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **wanted})


def _search(arguments: argparse.Namespace, folder: Path) -> float:
    """Wall time of the whole command, Ray's start and the page included; not counted twice when taken up again."""
    noted = folder / "search_seconds.json"
    if noted.is_file():
        return float(json.loads(noted.read_text()))
    command = [
        *(sys.executable, "-m", "bench", "search", "--space", arguments.space, "--budget", str(arguments.budget)),
        *("--images", str(arguments.images), "--name", "speed", "--seed", str(arguments.seed)),
        *(("--rule", RULE) if arguments.space == "fastvit" else ()),
    ]
    begin = time.perf_counter()
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    subprocess.run(command, cwd=folder, check=True, env=environment)
    seconds = time.perf_counter() - begin
    noted.write_text(json.dumps(seconds))
    return seconds


def _study(folder: Path) -> Any:
    from bench.report.views import study_view
    from bench.store import open_store

    with open_store(folder / "results" / "bench.db", read_only=True) as store:
        return study_view(store, "speed")


def _loop(found: Any, arguments: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """Each candidate to the top, one after the other."""
    kept = folder / "loop.jsonl"
    done = [json.loads(line) for line in kept.read_text().splitlines()] if kept.is_file() else []
    known = {row["number"] for row in done}
    with kept.open("a", encoding="utf-8") as file:
        for trial in found.trials:
            if trial.number in known or trial.status == "failed":
                continue
            row = {"number": trial.number, **_candidate(trial.architecture, found.study.config, folder)}
            done.append(row)
            file.write(json.dumps(row) + "\n")
            file.flush()
            print(
                f"loop {len(done)}/{len(found.trials)}: #{trial.number} {row['seconds']:.1f} s, accuracy "
                f"{row['accuracy']:.4f}, {row['latency_ms']:.2f} ms",
                flush=True,
            )
    return sorted(done, key=lambda row: int(row["number"]))


def _candidate(mapping: Mapping[str, Any], config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    import torch

    from bench.networks import build
    from bench.proxies.training import Training
    from bench.space import Architecture
    from bench.study.config import StudyConfig
    from bench.study.evaluation import cache_folder, proxy_resolution, study_data, training_config

    settings = StudyConfig.from_dict(config)
    architecture = Architecture.from_dict(mapping)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    resolution = int(architecture.settings["input_resolution"])
    data = study_data(settings, proxy_resolution(resolution), cache_folder())
    begin = time.perf_counter()
    training = Training(
        build(architecture, num_classes=len(data.classes), seed=settings.seed),
        data,
        config=training_config(settings, settings.proxy.images),
    )
    training.advance(settings.proxy.images)
    score = training.score()
    trained = time.perf_counter()
    summary, seconds = _timed(architecture, settings, folder)
    return {
        "accuracy": score.accuracy,
        "latency_ms": summary.median_ms,
        "ratio_to_reference": summary.ratio_to_reference,
        "seconds": trained - begin + sum(seconds.values()),
        "train": trained - begin,
        **seconds,
    }


def _timed(architecture: Any, settings: Any, folder: Path) -> tuple[Any, dict[str, float]]:
    """Exported with the quicker stock exporter and timed, with what both took."""
    import hashlib

    import torch

    from bench.measure import JobArtifact, measure, summarise
    from bench.networks import build
    from bench.networks.export import export_onnx
    from bench.networks.fold import fold
    from bench.space import load_space
    from bench.study.timer import Timer
    from bench.study.timing import timing_job

    begin = time.perf_counter()
    torch.set_num_threads(1)
    resolution = int(architecture.settings["input_resolution"])
    reference = load_space("fastvit").reference_points["fastvit_t8"]
    files = {"candidate": architecture, "reference": reference}
    artifacts = {}
    for label, found in files.items():
        path = folder / f"loop-{label}.onnx"
        if label == "candidate" or not path.is_file():
            export_onnx(fold(build(found, seed=0).eval(), fold_attention_norm=False), path, resolution=resolution)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        artifacts[label] = JobArtifact(label=label, path=str(path), format="onnx", sha256=sha256)
    exported = time.perf_counter()
    timer = Timer(name="cpu", kind="cpu", runtime="onnxruntime", is_remote=False, figure="latency_ms")
    reference = _plain(artifacts["reference"])
    job = timing_job(settings, timer, (artifacts["candidate"],), reference, resolution=resolution)
    summary = summarise(measure(job)[0])
    return summary, {"export": exported - begin, "time": time.perf_counter() - exported}


def _plain(artifact: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(artifact)


def _result(found: Any, loop: list[dict[str, Any]], seconds: float, arguments: argparse.Namespace) -> dict[str, Any]:
    from bench import pareto
    from bench.measure import fingerprint
    from bench.report.views import stage_seconds

    corner = [found.study.hypervolume_reference[name] for name in found.objectives]
    # As the search tells latencies: the ratio to the reference beside it, in what that took when the study began.
    (reference_ms,) = found.study.reference_ms.values()
    points = {row["number"]: (row["accuracy"], row["ratio_to_reference"] * reference_ms) for row in loop}
    own = {row["number"]: (row["accuracy"], row["latency_ms"]) for row in loop}
    numbers = [trial.number for trial in found.front]

    def volume(values: Mapping[int, tuple[float, float]], chosen: list[int]) -> float:
        return pareto.hypervolume([values[number] for number in chosen], corner, maximise=found.maximise)

    loop_seconds = sum(row["seconds"] for row in loop)
    stages = stage_seconds(found)
    overhead = sum(
        value for name, value in stages.items() if name not in ("train", "score", "time", "wait for the CPU")
    )
    return {
        "space": arguments.space,
        "rule": RULE,
        "budget": arguments.budget,
        "images": arguments.images,
        "candidates_tried": len(found.trials),
        "search_seconds": seconds,
        "loop_seconds": loop_seconds,
        "times_faster": loop_seconds / seconds,
        "hypervolume_of_search_front": volume(points, numbers),
        "hypervolume_of_loop": volume(points, list(points)),
        "hypervolume_share": volume(points, numbers) / volume(points, list(points)),
        "hypervolume_share_by_the_loops_own_milliseconds": volume(own, numbers) / volume(own, list(own)),
        "hypervolume_reference": dict(found.study.hypervolume_reference),
        "overhead_seconds_a_candidate": overhead / len(found.trials),
        "stage_seconds": stages,
        "trained_to_the_top": found.counts.get("complete", 0),
        "candidates": loop,
        "versions": dict(found.study.versions),
        "git_revision": found.study.git_revision,
        "fingerprint": fingerprint(),
    }


def _print(result: Mapping[str, Any]) -> None:
    from bench.report.tables import time_table

    print(time_table(result["stage_seconds"]))
    print(f"search: {result['search_seconds']:.0f} s; loop: {result['loop_seconds']:.0f} s; "
          f"{result['times_faster']:.2f} times faster")  # fmt: skip
    print(f"hypervolume, the search's front / the loop's, by the loop's scores: {result['hypervolume_share']:.4f}")
    own = result["hypervolume_share_by_the_loops_own_milliseconds"]
    print(f"the same by the milliseconds of the loop's own session: {own:.4f}")
    print(f"neither training nor timing: {result['overhead_seconds_a_candidate']:.2f} s a candidate")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="fastvit")
    parser.add_argument("--budget", type=int, default=24)
    parser.add_argument("--images", type=int, default=8000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", help="work here; a second run goes on with what is there")
    parser.add_argument("--out", type=Path, default=Path("results/search_speed.json"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
