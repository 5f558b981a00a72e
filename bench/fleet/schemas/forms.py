"""What all documents of the API have in common: their kinds of model, and names, numbers and texts within bounds."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

RUNNER_NAME = r"^[a-z0-9][a-z0-9._-]{0,39}$"
SHA256 = r"^[0-9a-f]{64}$"
ID = r"^[0-9a-f]{32}$"
# Of an integer of PostgreSQL; no fence and no token's id is ever that high.
LARGEST_ID = 2**31 - 1

EXAMPLE_SHA = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

RunnerName = Annotated[str, Field(pattern=RUNNER_NAME, description="Small letters, digits, '.', '_' and '-'.")]
TokenName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}$")]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
Free = dict[str, Any]
# One line of a person or a program; control characters would forge lines of a log.
Reason = Annotated[str, Field(min_length=1, max_length=4000)]
Documents = Annotated[
    list[Free],
    Field(min_length=1, max_length=64, description="Measurement.to_dict() of each artifact in its order, unjudged."),
]


def example(**document: Any) -> ConfigDict:
    """The configuration of a model with an example."""
    return ConfigDict(json_schema_extra={"examples": [document]})


class Model(BaseModel):
    """With the fields that are known, in strict types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Telling(BaseModel):
    """With further fields, which are only shown."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)


class ErrorDoc(Model):
    """Why a call was refused."""

    model_config = example(error="no runner 'pixel9'; known: pixel8; did you mean 'pixel8'?")

    error: str = Field(description="One line: what was got, what is allowed, what to do.")
    missing: list[str] | None = Field(default=None, description="SHA-256 of files to be uploaded first.")
