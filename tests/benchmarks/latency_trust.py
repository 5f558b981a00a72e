"""Whether latencies can be believed: the figures that README gives, measured again.

    python -m tests.benchmarks.latency_trust --out results/measured/DEVICE/latency_trust.json [PART ...]

Parts, all by default:

    aa          one file under two names, 20 sessions, half of them with a busy process on the other core
    difference  a network that is about 5 % slower, 20 sessions; the truth is a session of 30 restarts
    plain       10 invocations while a busy process comes and goes, against plain loops of ONNX Runtime and torch
    screening   what a quick session takes, and 40 networks in one session against 40 sessions
    full        what a session of `bench measure` takes for one network
    forms       deploy form against timm's for T8, SA12 and MA36, in torch eager and ONNX Runtime

Needs a machine without other work; takes about 45 minutes. Finished parts are kept in `--out`, so that an interrupted
benchmark goes on.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.measure import FULL, Job, JobArtifact, compare, fingerprint, make_artifact, make_form, measure, summarise
from bench.measure.artifacts import reference_architecture
from bench.measure.exclusive import cpu_lock_folder, exclusive
from bench.space import Architecture, load_space
from bench.space.sampling import draw

# Sessions with a busy process never reach their interval: what they come to shows after this long as well. Where
# the interval itself is judged (`difference`), a session has the time that `bench measure` would give it.
_LIMIT_S = 40.0
_PLAIN_LOOP = """
import sys, time
import numpy as np
kind, path, warmup, iterations = sys.argv[1], sys.argv[2], 10, 100
picture = np.random.rand(1, 3, 256, 256).astype(np.float32)
if kind == "onnxruntime":
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    run = lambda: session.run(None, {session.get_inputs()[0].name: picture})
else:
    import timm, torch
    from timm.utils.model import reparameterize_model
    torch.set_num_threads(1)
    network = reparameterize_model(timm.create_model("fastvit_sa12").eval())
    tensor = torch.from_numpy(picture)
    run = lambda: network(tensor)
    torch.set_grad_enabled(False)
for _ in range(warmup):
    run()
begin = time.perf_counter()
for _ in range(iterations):
    run()
print("MS", (time.perf_counter() - begin) / iterations * 1e3)
"""


def main() -> None:
    arguments = _arguments()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    found = json.loads(arguments.out.read_text()) if arguments.out.is_file() else {}
    with exclusive(cpu_lock_folder()), tempfile.TemporaryDirectory(prefix="bench-trust-") as folder:
        for name in arguments.parts or _PARTS:
            if name in found and name not in arguments.again:
                continue
            print(f"{name} ...", flush=True)
            begin = time.monotonic()
            found[name] = {**_PARTS[name](Path(folder)), "seconds": time.monotonic() - begin}
            found["fingerprint"] = fingerprint(runtime="onnxruntime", threads=1)
            arguments.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
            print(json.dumps({key: value for key, value in found[name].items() if key != "sessions"}), flush=True)


def same_file_under_two_names(folder: Path) -> dict[str, Any]:
    first = _published("fastvit_t8", folder)
    sessions = []
    for number in range(20):
        is_busy = number % 2 == 1
        with _busy() if is_busy else contextlib.nullcontext():
            a, b = _session(replace(first, label="a"), replace(first, label="b"), folder=folder, seed=number)
        pair = compare(a, b)
        told = {"is_busy": is_busy, "verdict": a.verdict, "reason": a.reason, "restarts": len(a.samples)}
        sessions.append({**told, "pair": asdict(pair)})
        print(f"  {number + 1}/20 {pair.ratio:.4f} [{pair.low:.4f}, {pair.high:.4f}] {a.verdict}", flush=True)
    return {
        "covered": sum(found["pair"]["low"] <= 1 <= found["pair"]["high"] for found in sessions),
        "largest_deviation": max(abs(found["pair"]["ratio"] - 1) for found in sessions),
        "busy_called_contended": sum(found["verdict"] == "contended" for found in sessions if found["is_busy"]),
        "quiet_called_contended": sum(found["verdict"] == "contended" for found in sessions if not found["is_busy"]),
        "sessions": sessions,
    }


def known_difference(folder: Path) -> dict[str, Any]:
    """T8 with one block more in its last stage."""
    published = reference_architecture(256).to_dict()
    stages = [dict(stage) for stage in published["stages"]]  # type: ignore[attr-defined]
    stages[-1]["depth"] = int(stages[-1]["depth"]) + 1
    longer = Architecture.from_dict({**published, "stages": stages})
    base = _published("fastvit_t8", folder)
    slower, _ = make_artifact(longer, folder, "longer", runtime="onnxruntime")
    a, b = _session(base, slower, folder=folder, seed=1000, restarts=30, most_restarts=30, limit_s=600.0)
    truth = compare(a, b)
    sessions = []
    for number in range(20):
        pair = compare(*_session(base, slower, folder=folder, seed=number, limit_s=float(FULL["limit_s"])))
        sessions.append(asdict(pair))
        print(f"  {number + 1}/20 {pair.ratio:.4f} {pair.verdict} (truth {truth.ratio:.4f})", flush=True)
    right = [found for found in sessions if found["low"] > 1 and abs(found["ratio"] - truth.ratio) <= 0.015]
    if not 1.03 <= truth.ratio <= 1.08:
        raise SystemExit(f"the longer network takes {truth.ratio:.3f} times as long; about 1.05 is wanted")
    return {"truth": asdict(truth), "found_and_right": len(right), "sessions": sessions}


def against_plain_loops(folder: Path) -> dict[str, Any]:
    network = _published("fastvit_sa12", folder)
    script = folder / "plain.py"
    script.write_text(_PLAIN_LOOP)
    rows = []
    for number in range(10):
        row: dict[str, Any] = {}
        # It comes and goes: in some invocations of each it is there, in others not, in some it comes midway.
        with _coming_and_going(number):
            for kind in ("onnxruntime", "torch"):
                row[kind] = _plain(script, kind, network.path)
        with _coming_and_going(number):
            (found,) = _session(network, folder=folder, seed=number)
        row |= {"ratio": summarise(found).ratio_to_reference, "verdict": found.verdict}
        rows.append(row)
        print(f"  {number + 1}/10 {row}", flush=True)
    spreads = {name: _spread([row[name] for row in rows]) for name in ("onnxruntime", "torch", "ratio")}
    return {
        "spread": spreads,
        "times_smaller": {name: spreads[name] / spreads["ratio"] for name in ("onnxruntime", "torch")},
        "sessions": rows,
    }


def screening(folder: Path) -> dict[str, Any]:
    space = load_space("fastvit").with_rules(["macs_g <= 1.5"])
    from bench.networks import cost_quantities

    random = np.random.default_rng(0)
    networks = []
    for number in range(40):
        artifact, _ = make_artifact(
            draw(space, random, costs=cost_quantities), folder, f"n{number}", runtime="onnxruntime"
        )
        networks.append(artifact)
    reference = _published("fastvit_t8", folder, label="reference")
    t8 = replace(reference, label="fastvit_t8")
    single = [_timed(Job(artifacts=(t8,), reference=reference, resolution=256, seed=seed)) for seed in range(5)]
    apart = sum(_timed(Job(artifacts=(found,), reference=reference, resolution=256)) for found in networks)
    together = _timed(Job(artifacts=tuple(networks), reference=reference, resolution=256, limit_s=1800.0))
    return {
        "t8_seconds": statistics.median(single),
        "t8_seconds_all": single,
        "forty_sessions_seconds": apart,
        "one_session_seconds": together,
        "share": together / apart,
    }


def full_session(folder: Path) -> dict[str, Any]:
    reference = _published("fastvit_t8", folder, label="reference")
    job = Job(artifacts=(replace(reference, label="fastvit_t8"),), reference=reference, resolution=256, **FULL)
    seconds = [_timed(replace(job, seed=seed)) for seed in range(5)]
    return {"t8_seconds": statistics.median(seconds), "t8_seconds_all": seconds}


def deploy_against_timm(folder: Path) -> dict[str, Any]:
    rows = []
    for name in ("fastvit_t8", "fastvit_sa12", "fastvit_ma36"):
        architecture = load_space("fastvit").reference_points[name]
        for runtime in ("torch", "onnxruntime"):
            place = folder / f"{runtime}-{name}"
            ours, _ = make_artifact(architecture, place, "deploy", runtime=runtime)
            theirs = make_form(architecture, place, "timm", form="timm", runtime=runtime, timm_name=name)
            a, b = _session(theirs, ours, folder=place, runtime=runtime, limit_s=120.0, deadline_s=600.0)
            rows.append({"model": name, "runtime": runtime, "verdict": b.verdict, "pair": asdict(compare(a, b))})
            print(f"  {rows[-1]}", flush=True)
    return {"sessions": rows, **{f"{row['runtime']} {row['model']}": row["pair"]["ratio"] for row in rows}}


_PARTS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "aa": same_file_under_two_names,
    "difference": known_difference,
    "plain": against_plain_loops,
    "screening": screening,
    "full": full_session,
    "forms": deploy_against_timm,
}


def _published(name: str, folder: Path, *, label: str | None = None) -> JobArtifact:
    architecture = load_space("fastvit").reference_points[name]
    return make_artifact(architecture, folder, label or name, runtime="onnxruntime")[0]


def _session(
    *artifacts: JobArtifact, folder: Path, seed: int = 0, runtime: str = "onnxruntime", **settings: Any
) -> tuple[Any, ...]:
    reference, _ = make_artifact(reference_architecture(256), folder, "reference", runtime=runtime)
    protocol = {**FULL, "limit_s": _LIMIT_S, **settings}
    return measure(
        Job(artifacts=artifacts, reference=reference, resolution=256, runtime=runtime, seed=seed, **protocol)
    )


def _timed(job: Job) -> float:
    begin = time.monotonic()
    for found in measure(job):
        if not found.has_figures or len(found.samples) < job.restarts:
            raise SystemExit(f"{found.label}: {found.reason}")
    return time.monotonic() - begin


@contextlib.contextmanager
def _busy() -> Iterator[None]:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            yield
        finally:
            process.kill()


@contextlib.contextmanager
def _coming_and_going(number: int) -> Iterator[None]:
    """No other work, one busy process, or one that is there every other two seconds."""
    program = (
        "",
        "while True: pass",
        "import time\nwhile True:\n e=time.time()+2\n while time.time()<e: pass\n time.sleep(2)",
    )[number % 3]
    if not program:
        yield
        return
    with subprocess.Popen([sys.executable, "-c", program]) as process:
        try:
            yield
        finally:
            process.kill()


def _plain(script: Path, kind: str, path: str) -> float:
    command = [sys.executable, "-W", "ignore", str(script), kind, path]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return next(float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("MS "))


def _spread(values: list[float]) -> float:
    """Standard deviation of the logarithms: comparable between milliseconds and ratios."""
    return statistics.stdev(math.log(value) for value in values)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*_PARTS, []], help="which; all by default")
    parser.add_argument("--again", nargs="*", default=[], help="parts to repeat although they are there")
    parser.add_argument("--out", type=Path, default=Path("results/latency_trust.json"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
