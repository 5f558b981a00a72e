from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import ConfigError
from bench.proxies.data_spec import DataSpec, parse_data_spec


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("fractals", DataSpec(kind="fractals")),
        (
            "fractals:classes=5,per_class=40,val_per_class=7",
            DataSpec(kind="fractals", counts={"classes": 5, "per_class": 40, "val_per_class": 7}),
        ),
        ("imagenet:/data/in", DataSpec(kind="imagenet", location="/data/in")),
        ("folder:my, own:pictures", DataSpec(kind="folder", location="my, own:pictures")),
        ("parquet:x", DataSpec(kind="parquet", location="x")),
        ("timm:torch/cifar10", DataSpec(kind="timm", location="torch/cifar10")),
        ("timm:torch/cifar10,root=/d", DataSpec(kind="timm", location="torch/cifar10", root="/d")),
        ("/data/cifar", DataSpec(kind="path", location="/data/cifar")),
        ("cifar", DataSpec(kind="path", location="cifar")),
    ],
)
def test_specs_are_read(text: str, spec: DataSpec) -> None:
    assert parse_data_spec(text) == spec


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("imagnet:/data", r"unknown kind of data 'imagnet'.*known: fractals.*did you mean 'imagenet'\?"),
        ("imagenet:", r"'imagenet:' does not say where the data is; known: imagenet:PLACE; add the place"),
        ("fractals:clases=3", r"unknown setting 'clases'.*known: classes.*did you mean 'classes'\?"),
        ("fractals:classes=0", r"classes=0 .*; a whole number from 1 is allowed"),
        ("fractals:classes=many", r"classes=many .*; a whole number from 1 is allowed"),
        ("fractals:20", r"'20' in 'fractals:20' is no setting; allowed: name=value"),
        ("timm:torch/cifar10,rot=/d", r"unknown setting 'rot'.*known: root"),
    ],
)
def test_malformed_specs_say_what_is_allowed(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_data_spec(text)


def test_path_with_a_colon_is_a_path_where_it_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a:b").mkdir()
    monkeypatch.chdir(tmp_path)
    assert parse_data_spec("a:b").kind == "path"


def test_label_is_kind_and_place() -> None:
    assert parse_data_spec("imagenet:/data/in").label == "imagenet:/data/in"
    assert parse_data_spec("fractals:classes=5").label == "fractals"
