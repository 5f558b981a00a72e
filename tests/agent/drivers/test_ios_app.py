"""The app is built by Xcode and not here; what can be held together without a compiler is."""

from __future__ import annotations

import plistlib
import re
from dataclasses import fields

import pytest
from command import ROOT

from bench.agent import PROTOCOL, VERSION
from bench.agent.artifact_files import FOLDER_FORMATS
from bench.agent.drivers import picture
from bench.agent.failure import KINDS
from bench.measure.job import Job
from bench.measure.measurement import Measurement
from bench.measure.outputs import LARGEST_ERROR, LEAST_COSINE
from bench.measure.session import PROTOCOL_VERSION

FOLDER = ROOT / "runners" / "ios"
SOURCES = {path.name: path.read_text(encoding="utf-8") for path in sorted((FOLDER / "BenchRunner").glob("*.swift"))}
EVERYTHING = "\n".join(SOURCES.values())
OF_APPLE = {"CoreML", "CryptoKit", "Foundation", "Security", "SwiftUI", "UIKit"}


@pytest.mark.parametrize("name", SOURCES)
def test_source_says_that_it_was_not_run_and_needs_apples_frameworks_alone(name: str) -> None:
    assert "NOT RUN HERE" in SOURCES[name].split("\n\n")[0]
    assert set(re.findall(r"^import (\w+)$", SOURCES[name], re.MULTILINE)) <= OF_APPLE
    assert SOURCES[name].isascii()
    for opening, closing in ("()", "[]", "{}"):
        code = re.sub(r'//.*|"(?:\\.|[^"\\])*"|#/.*?/#', "", SOURCES[name])
        assert code.count(opening) == code.count(closing)


def test_files_of_a_package_are_those_that_an_agent_takes() -> None:
    lists = re.search(r"hashedNames = \[(.*?)\].*?Set\(hashedNames \+ \[(.*?)\]\)", SOURCES["Job.swift"], re.DOTALL)
    assert lists
    assert tuple(tuple(re.findall(r'"([^"]+)"', listed)) for listed in lists.groups()) == FOLDER_FORMATS["mlpackage"]


def test_versions_are_those_of_the_agent_and_of_the_session() -> None:
    assert f'static let version = "{VERSION}"' in SOURCES["Device.swift"]
    assert f'"protocol": {PROTOCOL}' in SOURCES["Device.swift"]
    assert f'"protocol": {PROTOCOL}' in SOURCES["Hub.swift"]
    assert f'"version": {PROTOCOL_VERSION},' in SOURCES["Session.swift"]


def test_measurements_have_the_fields_of_measurements() -> None:
    found = re.search(r"func measurement\(.*?\n    }\n", SOURCES["Session.swift"], re.DOTALL)
    assert found
    assert {field.name for field in fields(Measurement)} <= set(re.findall(r'"(\w+)":', found[0]))


def test_settings_that_are_read_are_settings_of_a_job() -> None:
    asked = set(re.findall(r'(?:whole|number)\("(\w+)"', SOURCES["Job.swift"]))
    assert asked
    assert asked <= {field.name for field in fields(Job)}


def test_failures_are_of_the_kinds_that_a_hub_knows() -> None:
    kinds = set(re.findall(r'kind: "(\w+)"', EVERYTHING))
    assert kinds
    assert kinds <= set(KINDS)


def test_outputs_are_held_to_the_same_bounds() -> None:
    assert f"error <= {LARGEST_ERROR:.0e}".replace("e-0", "e-") in SOURCES["Model.swift"]
    assert f"cosine >= {LEAST_COSINE}" in SOURCES["Model.swift"]


def test_picture_has_the_constants_of_the_one_that_is_tested() -> None:
    told = {int(digits.replace("_", ""), 16) for digits in re.findall(r"0x([0-9a-f_]{16,})", SOURCES["Picture.swift"])}
    halves = {
        half
        for number in (picture._STATE, picture._INCREMENT, picture._MULTIPLIER)
        for half in (number >> 64, number & picture._MASK_64)
    }
    assert told == halves
    tail = re.search(r"let tail = ([0-9.]+),", SOURCES["Picture.swift"])
    assert tail
    assert float(tail[1]) == picture._TAIL


def test_property_list_is_one() -> None:
    with (FOLDER / "BenchRunner" / "Info.plist").open("rb") as file:
        found = plistlib.load(file)
    assert set(found) == {"NSLocalNetworkUsageDescription", "NSAppTransportSecurity"}
    assert found["NSAppTransportSecurity"] == {"NSAllowsLocalNetworking": True}


def test_readme_names_every_file_and_what_was_not_run() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert "Not run here" in text
    assert all(f"`{name}`" in text for name in SOURCES)
