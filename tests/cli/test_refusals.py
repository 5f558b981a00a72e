"""What cannot work is refused in one line before anything is made; nothing but the empty database may be there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from command import Ended
from scripted import add_study, config_of
from store.disks import small_disk

from bench.store import open_store

from .here import Here, files

SEARCH = ("search", "--space", "smoke", "--budget", 3)


def check(ended: Ended, message: str, *, code: int = 1) -> None:
    assert ended.code == code
    assert re.search(message, ended.err), ended.err
    assert ended.err.startswith("bench: ")
    assert ended.err.count("\n") == 1
    assert "Traceback" not in ended.err
    assert ended.out == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("search", "--space", "fastvt"), r"'fastvt'; known: .*fastvit.*; did you mean 'fastvit'\?"),
        (("search", "--space", "nowhere.yaml"), r"no file 'nowhere.yaml'"),
        ((*SEARCH, "--sampler", "tpee"), r"sampler is 'tpee'; allowed: .*, tpe, nsga2, random; did you mean 'tpe'\?"),
        ((*SEARCH, "--objectives", "accuracy,latncy"), r"unknown objective 'latncy'; .*; did you mean 'latency'\?"),
        ((*SEARCH, "--objectives", "latency"), "a search needs accuracy and at least one cost"),
        ((*SEARCH, "--constraint", "latncy<=12"), r"reads 'latncy'; known: .*; did you mean 'latency'\?"),
        ((*SEARCH, "--constraint", "latency_ms < 12"), "a figure, <= or >=, and a number are needed"),
        ((*SEARCH, "--warm-start", "nowhere"), "nowhere"),
        ((*SEARCH, "--warm-start", "nowhere@no.db"), "warm start: no database 'no.db'"),
        ((*SEARCH, "--warm-start", "a", "--sampler", "tpe"), "only 'model' learns from earlier studies"),
        ((*SEARCH, "--budget", 0), "budget is 0; it must be 1 or more"),
        ((*SEARCH, "--images", 1), "proxy.images is 1; it must be"),
        ((*SEARCH, "--concurrency", 0), "execution.concurrency is 0; it must be 1 or more"),
        ((*SEARCH, "--runner", "tpu"), "unknown runner 'tpu'; this machine's are cpu, cuda, apple, registered: none"),
        ((*SEARCH, "--runner", "TPU 4"), "timing.runner is 'TPU 4'; cpu, cuda, apple or a registered name"),
        ((*SEARCH, "--runner", "cpu", "--runner", "cpu"), "timing.runners names 'cpu' twice"),
        (("measure", "fastvit_t8", "--no-store", "--runner", "tpu"), "unknown runner 'tpu'"),
        (("runners", "test", "cpu"), "'cpu' is this machine's own; registered runners are tried"),
        (("runners", "register", "cuda"), "'cuda' is a runner of this machine; registered ones have other names"),
        (("runners", "agent", "--out", "nowhere/agent.py"), "there is no folder nowhere; make it first"),
        (("hub", "serve", "--tls-cert", "hub.pem"), "--tls-cert and --tls-key belong together"),
        (("hub", "serve", "--insecure-behind-proxy"), "without --url; agents are told where the proxy answers; add"),
        (("hub", "serve", "--url", "http://hub.example.org"), "is plain HTTP, .*; give https://HOST"),
        ((*SEARCH, "--rule", "macs_g <="), "macs_g <="),
        ((*SEARCH, "--rule", "makes_g <= 1"), r"makes_g.*did you mean 'macs_g'"),
        ((*SEARCH, "--rule", "params_m <= 0.0001"), "no architecture of space 'smoke' obeys .*; loosen a rule"),
        ((*SEARCH, "--data", "nowhere"), "nowhere"),
        ((*SEARCH, "--data", "folder:nowhere"), "nowhere"),
        ((*SEARCH, "--data", "empty"), "empty"),
        ((*SEARCH, "--data", "flat"), "flat"),
        ((*SEARCH, "--name", "no/slash"), r"study name 'no/slash'; letters, digits"),
        ((*SEARCH, "--out", "nowhere/front.html"), r"--out nowhere/front.html: there is no folder nowhere; make it"),
        ((*SEARCH, "--db", "nowhere/bench.db"), "nowhere"),
        ((*SEARCH, "--config", "nowhere.yaml"), "cannot read 'nowhere.yaml'"),
        ((*SEARCH, "--config", "wrong.yaml"), r"unknown setting 'proxy.imagse'; .* did you mean 'images'\?"),
        (("search", "--resume", "x", "--budget", 3), "--resume goes on with the stored settings"),
        (("search", "--resume", "x", "--name", "y"), "--resume goes on with the stored settings"),
        (("search", "--resume", "unknown"), "no study 'unknown'"),
        (("show", "unknown"), "bench.db"),
        (("plot", "unknown"), "bench.db"),
        (("replay", "unknown"), "bench.db"),
        (("studies", "--db", "nowhere.db"), "nowhere.db"),
        (("export", "fastvit_t9", "--out", "t9.onnx"), r"no reference point 'fastvit_t9'.*did you mean 'fastvit_t8'\?"),
        (("export", "fastvit_t8", "--out", "nowhere/t8.onnx"), "there is no folder nowhere; make it first"),
        (("export", "study/7", "--out", "t.onnx"), "bench.db"),
        (("space", "show", "fastvt"), r"did you mean 'fastvit'\?"),
    ],
    ids=lambda value: "-".join(map(str, value))[-40:] if isinstance(value, tuple) else "",
)  # fmt: skip
def test_bad_input_is_one_line_and_makes_nothing(
    here: Here, tmp_path: Path, words: tuple[object, ...], message: str
) -> None:
    (tmp_path / "wrong.yaml").write_text("proxy: {imagse: 3}\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "flat").mkdir()
    (tmp_path / "flat" / "picture.jpg").write_bytes(b"")
    before = files(tmp_path)
    check(here(*words), message)
    made = files(tmp_path) - before
    # A search opens its database first, since names are looked up there; it is empty and can be used.
    assert made <= {"results", "results/bench.db"}, made
    if "results/bench.db" in made:
        with open_store("results/bench.db") as store:
            assert store.studies() == ()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("serch",), r"unknown command 'serch'; known: search, .*; did you mean 'search'\?"),
        (("search", "--budgte", "3"), r"No such option.*--budgte"),
        (("search", "--budget", "three"), "'three' is not a valid int"),
        (("export", "fastvit_t8"), "Missing option '--out'"),
        (("export", "fastvit_t8", "--format", "pt", "--out", "x"), "'pt' is not"),
        (("show",), "Missing argument"),
        (("space", "sample", "--n", "0"), "0 is not in the range"),
    ],
    ids=lambda value: "-".join(value)[-40:] if isinstance(value, tuple) else "",
)
def test_wrong_usage_is_one_line_with_code_2(
    here: Here, tmp_path: Path, words: tuple[object, ...], message: str
) -> None:
    check(here(*words), message, code=2)
    assert files(tmp_path) == set()


def test_no_gpu_is_said_before_anything_is_made(here: Here, tmp_path: Path) -> None:
    from bench.measure.gpu import gpus

    if gpus():
        pytest.skip("this machine has a GPU")
    check(here(*SEARCH, "--runner", "cuda"), "(?i)gpu|cuda")
    check(here(*SEARCH, "--device", "cuda"), "training on 'cuda' was asked for and torch sees no GPU")
    assert "front.html" not in files(tmp_path)


def test_a_taken_name_is_refused(here: Here, tmp_path: Path) -> None:
    with open_store(tmp_path / "some.db") as store:
        add_study(store, config_of(), name="mine")
    ended = here(*SEARCH, "--db", "some.db", "--name", "mine")
    check(ended, r"there is a study 'mine' already \(running\); --resume mine goes on with it")


def test_a_complete_study_does_not_go_on(here: Here, tmp_path: Path) -> None:
    with open_store(tmp_path / "some.db") as store:
        study = add_study(store, config_of(), name="mine")
        store.set_study_status(study.id, "complete")
    check(here("search", "--resume", "mine", "--db", "some.db"), "study 'mine' is complete; only unfinished")
    check(here("search", "--resume", "mune", "--db", "some.db"), r"no study 'mune'.*did you mean 'mine'\?")
    with open_store(tmp_path / "some.db") as store:
        assert store.study("mine").status == "complete"


def test_unknown_trials_are_refused(here: Here, tmp_path: Path) -> None:
    with open_store(tmp_path / "some.db") as store:
        add_study(store, config_of(), name="mine")
    check(here("show", "mine/3", "--db", "some.db"), "mine")
    check(here("export", "mine/3", "--out", "x.onnx", "--db", "some.db"), "mine")
    check(here("export", "mine/x", "--out", "x.onnx", "--db", "some.db"), "mine/x")
    assert "x.onnx" not in files(tmp_path)


def test_a_full_disk_is_said_before_anything_is_made(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_disk(tmp_path / "disk", num_kib=4096) as disk:
        monkeypatch.chdir(disk)
        check(here(*SEARCH), r"GB free at .*this study may need .* GB")
        (disk / "filler").write_bytes(bytes(shutil.disk_usage(disk).free - 4096))
        check(here("search", "--space", "smoke", "--db", disk / "new.db"), "no space|GB free")


def test_verbose_shows_where_it_happened(here: Here) -> None:
    ended = here("search", "--space", "fastvt", "--verbose")
    assert ended.code == 1
    assert "Traceback" in ended.err
    assert "ContentError" in ended.err
    assert ended.err.splitlines()[-1].startswith("bench: ")
    assert here("--verbose", "search", "--space", "fastvt").err.count("Traceback") >= 1
