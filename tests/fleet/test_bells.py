from __future__ import annotations

import asyncio
import threading

from bench.fleet.bells import Bells, either


async def sleeper(bells: Bells, name: str, ready: asyncio.Event, *, timeout_s: float = 20.0) -> bool:
    """Whether a bell of that name rings in time."""
    gone = asyncio.ensure_future(asyncio.Event().wait())
    with bells.listening(name) as bell:
        ready.set()
        await either(bell, gone, timeout_s=timeout_s)
        gone.cancel()
        return bell.is_set()


def test_a_ring_from_another_thread_wakes_those_of_that_name_alone() -> None:
    async def scene() -> tuple[bool, bool]:
        bells, ready, other_ready = Bells(), asyncio.Event(), asyncio.Event()
        one = asyncio.create_task(sleeper(bells, "one", ready))
        other = asyncio.create_task(sleeper(bells, "other", other_ready, timeout_s=0.2))
        await ready.wait()
        await other_ready.wait()
        thread = threading.Thread(target=bells.ring, args=("one",))
        thread.start()
        found = await one, await other
        thread.join()
        return found

    assert asyncio.run(scene()) == (True, False)


def test_a_ring_between_a_look_and_the_sleep_is_not_missed() -> None:
    async def scene() -> bool:
        bells = Bells()
        gone = asyncio.ensure_future(asyncio.Event().wait())
        with bells.listening("job") as bell:
            bell.clear()
            bells.ring("job")  # while the database is asked
            await either(bell, gone, timeout_s=20.0)
            gone.cancel()
            return bell.is_set()

    assert asyncio.run(scene())


def test_closing_wakes_everyone() -> None:
    async def scene() -> list[bool]:
        bells, readies = Bells(), [asyncio.Event() for _ in range(3)]
        tasks = [asyncio.create_task(sleeper(bells, f"{index}", ready)) for index, ready in enumerate(readies)]
        for ready in readies:
            await ready.wait()
        bells.close()
        return [await task for task in tasks]

    assert asyncio.run(scene()) == [True, True, True]


def test_one_whose_other_side_is_gone_wakes_too() -> None:
    async def scene() -> bool:
        bells = Bells()
        gone = asyncio.create_task(asyncio.sleep(0))
        with bells.listening("job") as bell:
            await either(bell, gone, timeout_s=20.0)
            return bell.is_set()

    assert not asyncio.run(scene())


def test_ringing_where_nobody_listens_does_nothing() -> None:
    bells = Bells()
    bells.ring("nobody")

    async def scene() -> None:
        with bells.listening("job"):
            pass
        bells.ring("job")
        await asyncio.sleep(0)

    asyncio.run(scene())
    bells.ring("job")  # the loop is closed
    assert not bells.is_closed
