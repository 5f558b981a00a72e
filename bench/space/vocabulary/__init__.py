"""The words with which an architecture of each family is described, as plain data: one file a family.

The code that checks, counts, draws and encodes architectures reads nothing else, so a new family is a new file here
and a package under `bench/networks` (see `bench/networks/families.py`).

Two promises keep stored architecture ids valid: a default never changes, and a new word (or a new value of a word) gets
a default that describes the networks made before it (see `Architecture.id`).
"""

from __future__ import annotations

from bench.errors import SpaceError, nearest
from bench.space.vocabulary.cmt import CMT
from bench.space.vocabulary.convnext import CONVNEXT
from bench.space.vocabulary.efficientnet import EFFICIENTNET
from bench.space.vocabulary.fastvit import FASTVIT
from bench.space.vocabulary.mobileone import MOBILEONE
from bench.space.words import Family, Scalar, Word

__all__ = ["FAMILIES", "FASTVIT", "TABLE", "Family", "Scalar", "Word", "find_family"]

FAMILIES: dict[str, Family] = {family.name: family for family in (FASTVIT, MOBILEONE, EFFICIENTNET, CONVNEXT, CMT)}

# Rows of a table of trained networks (bench/space/table.py). Its words are the columns that each space file names; what
# they describe cannot be built, so it is none of those above.
TABLE = Family(name="table", num_stages=0, settings=(), stage=())


def find_family(name: object) -> Family:
    """The family of that name.

    Raises:
        SpaceError: no such family.
    """
    families = {**FAMILIES, TABLE.name: TABLE}
    if isinstance(name, str) and name in families:
        return families[name]
    known = ", ".join(families)
    raise SpaceError(f"unknown family {name!r}; known: {known}{nearest(str(name), families) or '; name one of them'}")
