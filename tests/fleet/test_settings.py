from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import FleetError
from bench.fleet.settings import HubSettings, keep_settings, kept_settings


def test_they_are_kept_for_hubs_inside_other_commands(tmp_path: Path) -> None:
    assert kept_settings(tmp_path) == HubSettings()
    settings = HubSettings(
        host="192.168.1.5", port=9000, certificate="/c.pem", key="/k.pem", url="https://hub:9000", keep_days=3.0
    )
    keep_settings(tmp_path, settings)
    assert kept_settings(tmp_path) == settings
    assert settings.arguments() == {
        "host": "192.168.1.5",
        "port": 9000,
        "certificate": Path("/c.pem"),
        "key": Path("/k.pem"),
        "is_behind_proxy": False,
        "url": "https://hub:9000",
        "keep_days": 3.0,
    }
    assert "certificate" not in HubSettings().arguments()


@pytest.mark.parametrize("text", ["", "[]", '{"hosts": 1}', "{"])
def test_what_cannot_be_read_is_told(tmp_path: Path, text: str) -> None:
    keep_settings(tmp_path, HubSettings())
    (tmp_path / "settings.json").write_text(text)
    with pytest.raises(FleetError, match=r"cannot be used .*; remove it, or start `bench hub serve` again") as caught:
        kept_settings(tmp_path)
    assert "\n" not in str(caught.value)
