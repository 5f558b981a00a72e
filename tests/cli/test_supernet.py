"""`bench supernet` from the command line, and what searches and validations do with its file."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest
from command import Ended, bench, started

from bench.networks.checkpoints import read_checkpoint
from bench.networks.formats import load_exported
from bench.proxies.supernet import read_supernet
from bench.store import open_store

from .here import Here

PICTURES = ("--classes", 2, "--per-class", 24, "--val-per-class", 8)
TRAIN = ("supernet", "train", "--space", "smoke", *PICTURES, "--batch-size", 16, "--networks", 3, "--threads", 1)
BUDGET = 3


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    folder = tmp_path_factory.mktemp("supernet")
    return folder, bench(*TRAIN, "--images", 64, "--out", "s.pt", "--json", cwd=folder)


def test_it_is_trained_and_told(made: tuple[Path, Ended]) -> None:
    folder, ended = made
    assert ended.code == 0, ended.err
    (told,) = ended.lines
    found = read_supernet(folder / "s.pt")
    assert (told["space"], told["images_seen"], told["digest"]) == ("smoke", 64, found.digest)
    assert told["settings"]["training"]["batch_size"] == 16
    assert ended.err == ""


@pytest.fixture
def at_file(here: Here, made: tuple[Path, Ended], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file, with the pictures that were packed for it."""
    monkeypatch.setenv("BENCH_CACHE", str(made[0] / "cache"))
    return made[0] / "s.pt"


def test_networks_are_scored_in_a_table_and_for_machines(here: Here, at_file: Path, tmp_path: Path) -> None:
    drawn = here("space", "sample", "smoke", "--seed", 3).out
    (tmp_path / "drawn.json").write_text(drawn)
    words = ("supernet", "score", at_file, "smoke_repmixer", "drawn.json", "--n", 1, "--device", "cpu")
    ended = here(*words)
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[0].split()[:3] == ["network", "supernet", "accuracy"]
    assert "is no accuracy of a network trained alone" in ended.out
    rows = here(*words, "--json").lines
    assert [row["name"] for row in rows][:2] == ["smoke_repmixer", "drawn.json"]
    assert rows[1]["id"] == json.loads(drawn)["id"]
    assert all(0 <= row["supernet_accuracy"] <= 1 and "accuracy" not in row for row in rows)
    assert rows[0]["fidelity"]["supernet"] == read_supernet(at_file).digest
    assert f"{rows[0]['supernet_accuracy']:.4f}" in ended.out


def test_a_network_is_exported_with_its_weights(here: Here, at_file: Path, tmp_path: Path) -> None:
    ended = here("supernet", "export", at_file, "smoke_attention", "--out", "a.safetensors")
    assert ended.code == 0, ended.err
    assert "weights: of the supernet after 64 pictures at 64 px, 2 classes; not trained alone" in ended.out
    state = read_checkpoint(tmp_path / "a.safetensors")
    shared = read_supernet(at_file).weights.shared("stages.3.attention.0.token_mixer.proj.weight")
    taken = state["stages.3.blocks.0.token_mixer.proj.weight"]
    assert taken.equal(shared.detach()[: len(taken), : len(taken)])
    assert state["stem.0.conv_kxk.0.bn.running_mean"].any()
    assert load_exported(tmp_path / "a.safetensors") is not None
    folded = here("supernet", "export", at_file, "smoke_repmixer", "--format", "onnx", "--out", "r.onnx")
    assert folded.code == 0, folded.err
    assert "relative error against torch" in folded.out


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.soak)])
def test_whatever_ends_it_the_same_command_goes_on_to_the_same_weights(
    made: tuple[Path, Ended], tmp_path: Path, number: signal.Signals
) -> None:
    with started(*TRAIN, "--images", 64, "--out", "ended.pt", cwd=tmp_path) as process:
        deadline = time.monotonic() + 100
        while not (tmp_path / "ended.pt").is_file():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(number)
        _, err = process.communicate(timeout=100)
    assert process.returncode != 0
    left = read_supernet(tmp_path / "ended.pt")
    assert left.images_seen < 64
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert f"stopped after {left.images_seen} of 64 pictures; nothing of them is lost" in err
        assert "bench supernet train --out ended.pt --resume" in err
    ended = bench("supernet", "train", "--out", "ended.pt", "--resume", "--threads", 1, "--json", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert ended.lines[0]["digest"] == made[1].lines[0]["digest"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("train", "--space", "mobileone", *PICTURES, "--out", "n.pt"), "not of the family fastvit"),
        (("train", "--space", "fastvit,mobileone", "--out", "n.pt"), "not of the family fastvit"),
        (("train", "--space", "smoke", "--networks", 1, "--out", "n.pt"), "networks is 1; it must be 2 or more"),
        (("train", "--space", "smoke", "--data", "folder:nowhere", "--out", "n.pt"), "nowhere"),
        (("train", "--out", "no/folder.pt"), "there is no folder no; make it first"),
        (("train", "--out", "n.pt", "--resume"), "n.pt: there is no such file"),
        (("score", "n.pt", "smoke_repmixer"), "n.pt: there is no such file"),
        (("export", "n.pt", "smoke_repmixer", "--out", "n.onnx", "--format", "onnx"), "n.pt: there is no such file"),
    ],
)
def test_what_cannot_be_is_one_line(here: Here, words: tuple[object, ...], message: str) -> None:
    ended = here("supernet", *words)
    assert ended.code == 1
    assert message in ended.err
    assert ended.err.count("\n") == 1
    assert not Path("n.pt").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("fastvit_t8",), "is not in space 'smoke' of the supernet"),
        (("timm:resnet18",), "is no network of this family"),
        (("{nonsense",), "is no JSON"),
        (("missing.json",), "missing.json"),
        ((), "no MODEL and no --n"),
    ],
)
def test_what_cannot_be_scored_is_one_line(here: Here, at_file: Path, words: tuple[object, ...], message: str) -> None:
    ended = here("supernet", "score", at_file, *words)
    assert (ended.code, ended.out) == (1, "")
    assert message in ended.err
    assert ended.err.count("\n") == 1


def test_a_search_scores_by_it_and_says_so(made: tuple[Path, Ended], here: Here) -> None:
    folder, _ = made
    words = ("search", "--space", "smoke", "--proxy", "supernet", "--supernet", "s.pt", "--objectives", "accuracy,macs")
    ended = bench(*words, "--budget", BUDGET, "--concurrency", 1, "--name", "shared", "--json", cwd=folder)
    assert ended.code == 0, ended.err
    *events, last = ended.lines
    scored = [event for event in events if event["event"] == "scored"]
    assert len(scored) == BUDGET
    assert all("supernet" in event and "accuracy" not in event for event in scored)
    assert (last["status"], last["objectives"]) == ("complete", ["supernet", "macs_g"])
    assert "train" not in last["stage_seconds"]
    digest = read_supernet(folder / "s.pt").digest
    with open_store(folder / "results" / "bench.db", read_only=True) as store:
        study = store.study("shared")
        scores = store.study_scores(study.id)
        (event,) = [event.data for event in store.events(study.id) if event.kind == "supernet"]
    assert event["digest"] == digest
    assert [score.fidelity["supernet"] for score in scores] == [digest] * BUDGET
    assert (study.config["proxy"]["images"], study.config["data"]["classes"]) == (64, 2)
    db = folder / "results" / "bench.db"
    shown = here("show", "shared", "--db", db).out + here("show", "shared/1", "--db", db).out
    assert "(by supernet accuracy)" in shown
    assert "supernet accuracy at rung 0" in shown
    assert here("replay", "shared", "--db", db).out == f"{BUDGET} proposals, all the same\n"


def test_a_validation_judges_it_beside_zero_cost_proxies(here: Here, at_file: Path) -> None:
    settings = (
        *("--space", "smoke", "--n", 4, "--seeds", 1, "--images", 32, "--rungs", 1, "--batch-size", 16),
        *("--longer", 2, *PICTURES, "--concurrency", 1, "--supernet", at_file),
    )
    ended = here("validate-proxy", *settings)
    assert ended.code == 0, ended.err
    assert "supernet: 64 pictures of fractals at 64 px, 3 networks a step; a score takes" in ended.out
    assert "\nsupernet  " in ended.out
    told = json.loads(here("validate-proxy", *settings, "--json").out)
    assert len(told["supernet"]["scores"]) == 4
    assert told["data"][0]["zero_cost"]["long"][0]["name"] == "supernet"
    assert told["validation"]["supernet"] == str(at_file)
