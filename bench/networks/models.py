"""Networks that users name: a reference point of a space, with what other libraries call it."""

from __future__ import annotations

from dataclasses import dataclass

from bench.space import Architecture

# Reference point -> name in timm, where timm has the published network.
TIMM_NAMES = {
    name: name
    for name in (
        *("fastvit_t8", "fastvit_t12", "fastvit_s12", "fastvit_sa12", "fastvit_sa24", "fastvit_sa36", "fastvit_ma36"),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A network with a name.

    Attributes:
        name: as the user gave it: a reference point, or STUDY/NUMBER.
        architecture: of it.
    """

    name: str
    architecture: Architecture

    @property
    def timm_name(self) -> str | None:
        """What timm calls it; None where timm has no such network."""
        return TIMM_NAMES.get(self.name)

    @property
    def resolution(self) -> int:
        """Of its deployment."""
        return int(self.architecture.settings["input_resolution"])
