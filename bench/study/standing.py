"""Who stands where in a study's successive halving: what `bench.study.halving` decides by, as it changes."""

from __future__ import annotations

from collections.abc import Sequence

from bench.study.halving import Rung, next_promotion


class Standing:
    """The rungs of a study with who has reached them and who has gone on.

    Args:
        rungs: pictures seen at each, the lowest first.
        maximise: one flag an objective.
        reduction: one in this many goes on.
    """

    def __init__(self, rungs: Sequence[int], *, maximise: Sequence[bool], reduction: float) -> None:
        self._images, self._maximise, self._reduction = tuple(rungs), tuple(maximise), reduction
        self._reached: list[dict[int, tuple[float, ...]]] = [{} for _ in rungs]
        self._promoted: list[set[int]] = [set() for _ in rungs]

    def reached(self, number: int, rung: int, values: tuple[float, ...]) -> None:
        """A trial has these objective values at a rung."""
        self._reached[rung][number] = values

    def promoted(self, number: int, *, to: int) -> None:
        """A trial goes on to a rung."""
        self._promoted[to - 1].add(number)

    def forget(self, number: int) -> None:
        """A trial that failed stands nowhere."""
        for reached in self._reached:
            reached.pop(number, None)

    def next_promotion(self) -> tuple[int, int] | None:
        """Who goes on while new candidates come, and the rung that it goes to."""
        return next_promotion(self._rungs(), maximise=self._maximise, reduction=self._reduction, is_last_call=False)

    def last_promotion(self, *, lowest_target: int | None) -> tuple[int, int] | None:
        """Who goes on when nothing new will come.

        Args:
            lowest_target: the lowest rung that anybody is still on the way to; None: nobody is. The front of a rung is
                known once nobody is on the way to it any more.
        """
        rungs = self._rungs()
        if lowest_target is not None:
            rungs = rungs[: lowest_target + 1]
        return next_promotion(rungs, maximise=self._maximise, reduction=self._reduction, is_last_call=True)

    def _rungs(self) -> list[Rung]:
        return [
            Rung(images=images, values=reached, promoted=frozenset(promoted))
            for images, reached, promoted in zip(self._images, self._reached, self._promoted, strict=True)
        ]
