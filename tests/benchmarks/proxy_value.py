"""What cheap scores of networks are worth: zero-cost proxies, and short trainings on built-in and on real pictures.

    python -m tests.benchmarks.proxy_value --out-folder results/measured/DEVICE
    python -m tests.benchmarks.proxy_value --out-folder results/measured/DEVICE --pictures DIR

The first form: 40 networks spread over the FastViT space, trained shortly (2,656 pictures) and, as far as there is
time, three times as long on built-in pictures, and each zero-cost proxy, parameters and multiply-adds against their
accuracies (`zero_cost_value.json`), with the CPU seconds that each proxy takes. The second also: 12 networks with at
most 1.5 G multiply-adds, trained shortly (1,344 pictures) and four times as long on built-in pictures and on those of
DIR (`short_training_value.json`). Both are `bench validate-proxy` with fixed settings; finished trainings are kept
beside the files, and the same command goes on. On one quiet core the first takes two hours, half an hour of them for
the short trainings, which come first, and the second three quarters of an hour. With `--limit` no further training
begins after so many seconds, and the files say what there is.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.networks import build
from bench.proxies.zero_cost import PROXIES, RESOLUTION, make_probe
from bench.proxies.zero_cost.probe import NUM_CLASSES
from bench.report.page import write_whole
from bench.space import load_space
from bench.study.config import DataConfig, ProxyConfig
from bench.study.validation import Validation, findings_text, validate
from bench.study.validation.networks import spread_networks
from bench.study.validation.running import journal_path

ZERO_COST = Validation(n=40, seeds=1, longer=3.0, proxy=ProxyConfig(images=2656, rungs=2))
SHORT_TRAINING = Validation(
    n=12, rules=("macs_g <= 1.5",), seeds=2, longer=4.0, proxy=ProxyConfig(images=1344, rungs=3)
)


def main() -> None:
    arguments = _arguments()
    arguments.out_folder.mkdir(parents=True, exist_ok=True)
    parts = {"zero_cost_value": ZERO_COST}
    if arguments.pictures is not None:
        against = DataConfig(source=f"folder:{arguments.pictures.resolve()}")
        parts["short_training_value"] = replace(SHORT_TRAINING, against=against)
    if arguments.only is not None:
        parts = {name: found for name, found in parts.items() if name == arguments.only}
    for name, validation in parts.items():
        _run(arguments.out_folder / f"{name}.json", validation, arguments.limit)


def _run(out: Path, validation: Validation, limit_s: float | None) -> None:
    begin = time.monotonic()
    found = validate(
        validation,
        journal_path(out),
        concurrency=1,
        limit_s=limit_s,
        say=lambda text: print(f"{time.monotonic() - begin:6.0f} s  {text}", flush=True),
        progress=lambda done, total: print(f"{time.monotonic() - begin:6.0f} s  {done:,} of {total:,}", flush=True),
    )
    found = _without_folders(found)
    if out.stem == "zero_cost_value":
        found["proxy_cpu_seconds"] = _cpu_seconds(validation)
    write_whole(out, json.dumps(found, indent=1) + "\n")
    print(findings_text(found))
    print(json.dumps({"file": out.name, "trainings": len(found["trainings"])}))


def _without_folders(found: dict[str, Any]) -> dict[str, Any]:
    """Where pictures lay is nobody's business; how they are called is."""
    against = found["validation"]["against"]
    if against is not None:
        against["source"] = against["source"].rpartition("/")[2]
    return found


def _cpu_seconds(validation: Validation) -> dict[str, dict[str, float]]:
    """Of each proxy over every fifth network: median and largest, of this process alone."""
    seconds: dict[str, list[float]] = {name: [] for name in PROXIES}
    for architecture in spread_networks(load_space(validation.space), validation.n, seed=validation.seed)[::5]:
        network = build(architecture, num_classes=NUM_CLASSES, resolution=RESOLUTION)
        for name, proxy in PROXIES.items():
            begin = time.process_time()
            proxy(network, make_probe(0))
            seconds[name].append(time.process_time() - begin)
    return {name: {"median": statistics.median(found), "largest": max(found)} for name, found in seconds.items()}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out-folder", type=Path, default=Path("results"))
    parser.add_argument(
        "--pictures", type=Path, help="a folder of real pictures, a folder a class under train/ and val/"
    )
    parser.add_argument("--only", choices=("zero_cost_value", "short_training_value"))
    parser.add_argument("--limit", type=float, help="seconds after which no further training begins, of each file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
