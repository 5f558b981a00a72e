"""What a validation found, as text: tables, and what they come to in a sentence each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.report.tables import table
from bench.study.validation.findings import ENOUGH

Found = Mapping[str, Any]


def findings_text(found: Found) -> str:
    """Of `findings_of`."""
    validation = found["validation"]
    names = [each["data"] for each in found["data"]]
    parts = [
        f"{len(found['networks'])} networks of space {validation['space']}, one from each equal part of it by MACs; "
        f"trainings of {validation['seeds']} seed{'' if validation['seeds'] == 1 else 's'}; Kendall's tau with 95 % "
        "intervals over networks"
    ]
    if found["supernet"] is not None:
        parts.append(_supernet(found["supernet"]))
    for each in found["data"]:
        parts += [_fidelity(each, found), _zero_cost(each)]
    if found["against"] is not None:
        parts.append(_against(names, found["against"]))
    if found["failed"]:
        parts.append(f"{len(found['failed'])} trainings failed, the first because: {found['failed'][0]['reason']}")
    return "\n\n".join(part for part in parts if part)


def _fidelity(each: Found, found: Found) -> str:
    long_images = _long_images(found)
    rows = [
        (f"{fidelity['images']:,}", f"{fidelity['train_seconds']:.0f}", _told(fidelity["tau"]))
        for fidelity in each["fidelities"]
    ]
    heading = (f"pictures of {each['data']}", "seconds a network", f"tau with {long_images:,} pictures")
    sentences = [
        f"seed against seed: {_told(each['ceiling_long'])} after {long_images:,} pictures, "
        f"{_told(each['ceiling_short'])} after those of a search"
    ]
    if each["fidelities"]:
        sentences += _spread(each["fidelities"][-1]["images"], each["spread_short"])
    sentences += _spread(long_images, each["spread_long"])
    told = {fidelity["images"]: fidelity["tau"] for fidelity in each["fidelities"]}
    if each["cheapest"] is not None:
        low = told[each["cheapest"]]["low"]
        doubt = "" if low >= ENOUGH else f", but its interval reaches down to {low:.2f}"
        sentences.append(f"cheapest that keeps tau >= {ENOUGH}: {each['cheapest']:,} pictures{doubt}")
    elif any(value is not None for value in told.values()):
        sentences.append(f"none of these keeps tau >= {ENOUGH}")
    return "\n".join((table(heading, rows), *sentences)) if rows else f"nothing was trained on {each['data']} yet"


def _spread(images: int, spread: Found | None) -> list[str]:
    if spread is None:
        return []
    return [
        f"after {images:,} pictures networks differ by {100 * spread['networks']:.1f} points (one standard deviation, "
        f"what seeds explain taken away), the seeds of one network by {100 * spread['seeds']:.1f}"
    ]


def _supernet(judged: Found) -> str:
    fidelity = judged["fidelity"]
    return (
        f"supernet: {fidelity['images_seen']:,} pictures of {fidelity['data']} at {fidelity['resolution']} px, "
        f"{fidelity['networks']} networks a step; a score takes {judged['score_seconds']:.1f} seconds"
    )


def _zero_cost(each: Found) -> str:
    parts = []
    for name, title in (("short", "a search's training"), ("long", "the long training")):
        if (rows := each["zero_cost"][name]) is not None:
            lines = [_line(row) for row in rows]
            heading = (
                f"without training, on {each['data']}",
                f"tau with {title}",
                "minus that of MACs",
                "at one size",
                "",
            )
            parts.append(table(heading, lines))
    if parts:
        parts.append(
            "no better than MACs: the interval of the difference holds 0; at one size: tau of what is left of both "
            "beside a line over log MACs; rank_sum is what a search's score ranks by"
        )
    return "\n\n".join(parts)


def _line(row: Found) -> tuple[str, ...]:
    return (row["name"], _told(row["tau"]), _told(row["gain"]), _told(row["at_size"]), row["verdict"])


def _against(names: Sequence[str], rows: Sequence[Found]) -> str:
    lines = [(f"{row['images']:,}", f"{row['against_images']:,}", _told(row["tau"])) for row in rows]
    heading = (f"pictures of {names[0]}", f"of {names[1]}", "tau")
    return f"does {names[0]} rank networks as {names[1]} does?\n" + table(heading, lines)


def _long_images(found: Found) -> int:
    """Pictures of the long training."""
    seen: list[int] = [row["scores"][-1]["images"] for row in found["trainings"] if row["is_long"] and row["scores"]]
    validation = found["validation"]
    return max(seen, default=round(validation["proxy"]["images"] * validation["longer"]))


def _told(estimate: Found | None) -> str:
    return "-" if estimate is None else f"{estimate['value']:.2f} [{estimate['low']:.2f}, {estimate['high']:.2f}]"
