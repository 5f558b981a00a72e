"""A process that writes trials and says after each that it is stored: `writer.py URL STUDY NAME COUNT`.

It waits for a line on its input before the first one, so that several start together. With STUDY `-` it creates
the study NAME instead; COUNT 0 goes on until it is killed.
"""

from __future__ import annotations

import itertools
import sys

from examples import add_measurement, add_score, add_study, add_trial

from bench.store import open_store


def main(url: str, study_name: str, name: str, count: str) -> None:
    print("ready", flush=True)
    sys.stdin.readline()
    with open_store(url) as store:
        if study_name == "-":
            print(add_study(store, name).name, flush=True)
            return
        study = store.study(study_name)
        for index in itertools.count() if count == "0" else range(int(count)):
            trial = add_trial(store, study, f"{name}-{index}")
            store.start_trial(trial.id)
            add_score(store, trial)
            add_measurement(store, trial)
            store.set_trial_status(trial.id, "complete")
            print(trial.architecture_id, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
