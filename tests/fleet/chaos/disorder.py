"""What goes wrong: agents and hubs that are killed, links that fail, clocks that are set.

Whom it hits, and for how long, follows from a seed. No job is struck in what could be its last attempt: that a job
fails after the third is another test's business (tests/fleet/test_attempts.py), and here every job has to be done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from ..hubs import until
from .scene import HUB, Scene

# Attempts of a job that may have begun when its runner is struck; a strike may come in the middle of the next one.
_MOST_ATTEMPTS = 1
_PATIENCE_S = 600.0
_MONTH_S = 30 * 86_400
# Longer than a lease lives without a word (Limits.ttl_s).
_SILENCE_S = 75.0


@dataclass(frozen=True, slots=True)
class Strike:
    """Something that was done."""

    what: str
    whom: str


class Disorder:
    """Strikes at a scene, one at a time.

    Attributes:
        strikes: what was done so far.
    """

    def __init__(self, scene: Scene, *, seed: int) -> None:
        self.strikes: list[Strike] = []
        self._scene = scene
        self._random = Random(seed)

    def strike(self, what: str) -> None:
        """Does it, to somebody, and puts right what can be put right; the rest has to come right by itself."""
        whom = _DEEDS[what](self)
        self.strikes.append(Strike(what, whom))

    def kill_agent(self) -> str:
        return self._leave_dead(self._mortal(), self._random.uniform(0.0, 1.0))

    def kill_hub(self) -> str:
        self._scene.hub.kill()
        time.sleep(self._random.uniform(0.0, 1.5))
        self._scene.hub.start()
        return HUB

    def kill_hub_and_set_clock(self) -> str:
        self._scene.hub.kill()
        self.set_hub_clock()
        self._scene.hub.start()
        return HUB

    def kill_both(self) -> str:
        """An agent dies while there is no hub that it could tell."""
        name = self._mortal()
        self._scene.hub.kill()
        self._scene.agents[name].kill()
        self._scene.agents[name].start()
        time.sleep(self._random.uniform(0.0, 1.5))
        self._scene.hub.start()
        return name

    def cut_link(self) -> str:
        return self._cut(self._any(), self._random.uniform(0.5, 3.0))

    def slow_link(self) -> str:
        name = self._any()
        self._scene.links.slow(name)
        time.sleep(self._random.uniform(1.0, 3.0))
        self._scene.links.mend(name)
        return name

    def reset_link(self) -> str:
        name = self._any()
        self._scene.links.reset(name)
        return name

    def set_hub_clock(self) -> str:
        self._scene.clocks[HUB].jump(self._random.randint(-_MONTH_S, _MONTH_S))
        return HUB

    def set_agent_clock(self) -> str:
        name = self._any()
        self._scene.clocks[name].jump(self._random.randint(-_MONTH_S, _MONTH_S))
        return name

    def silence_agent(self) -> str:
        """A link that is cut for so long that the lease runs out; what is measured meanwhile comes too late."""
        return self._cut(self._at_work(), _SILENCE_S)

    def leave_agent_dead(self) -> str:
        """An agent that comes back when its lease has run out."""
        return self._leave_dead(self._at_work(), _SILENCE_S)

    def _leave_dead(self, name: str, seconds: float) -> str:
        agent = self._scene.agents[name]
        agent.kill()
        time.sleep(seconds)
        agent.start()
        return name

    def _cut(self, name: str, seconds: float) -> str:
        self._scene.links.cut(name)
        time.sleep(seconds)
        self._scene.links.mend(name)
        return name

    def _any(self) -> str:
        return self._random.choice(self._scene.names)

    def _mortal(self) -> str:
        """A runner whose unfinished jobs have attempts to spare; one at work rather than an idle one."""
        order, ledger = self._shuffled(), self._scene.ledger

        def find() -> str | None:
            spared = [name for name in order if ledger.most_attempts(name) <= _MOST_ATTEMPTS]
            return next((name for name in spared if ledger.is_leased(name)), next(iter(spared), None))

        found: str = until(find, limit_s=_PATIENCE_S)
        return found

    def _at_work(self) -> str:
        """The same, and never an idle one."""
        order, ledger = self._shuffled(), self._scene.ledger

        def is_right(name: str) -> bool:
            return ledger.is_leased(name) and ledger.most_attempts(name) <= _MOST_ATTEMPTS

        found: str = until(lambda: next(filter(is_right, order), None), limit_s=_PATIENCE_S)
        return found

    def _shuffled(self) -> list[str]:
        return self._random.sample(self._scene.names, len(self._scene.names))


_DEEDS: Mapping[str, Callable[[Disorder], str]] = {
    "kill agent": Disorder.kill_agent,
    "kill hub": Disorder.kill_hub,
    "kill hub, set its clock": Disorder.kill_hub_and_set_clock,
    "kill hub and agent": Disorder.kill_both,
    "cut link": Disorder.cut_link,
    "slow link": Disorder.slow_link,
    "reset link": Disorder.reset_link,
    "set clock of hub": Disorder.set_hub_clock,
    "set clock of agent": Disorder.set_agent_clock,
    "silence agent": Disorder.silence_agent,
    "leave agent dead": Disorder.leave_agent_dead,
}
# After which the next agent tells that a lease was lost, and after which it runs out.
TOLD_AFTER = frozenset({"kill agent", "kill hub and agent", "leave agent dead"})
EXPIRES_AFTER = frozenset({"silence agent", "leave agent dead"})
