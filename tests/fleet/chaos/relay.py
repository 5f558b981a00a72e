"""Links that fail: relays TCP connections to one place, as a process of its own, and does to them what networks do.

    python relay.py HOST PORT LINKS

prints the ports of so many links, and then obeys one line at a time, with "ok" after each:

    0 cut               nothing passes; connections stay, and new ones are not answered
    0 mend              everything passes again, what was held up too
    0 slow 0.2 50000    with so many seconds of delay, and so many bytes a second
    0 reset             every connection of the link ends at once (RST), wherever it is
"""

from __future__ import annotations

import asyncio
import json
import math
import socket
import struct
import sys

_CHUNK = 1 << 16
# close() then sends RST.
_ABRUPT = struct.pack("ii", 1, 0)


class Link:
    """One port and what goes through it."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._is_open = asyncio.Event()
        self._is_open.set()
        self._delay_s, self._bytes_per_s = 0.0, math.inf
        self._writers: set[asyncio.StreamWriter] = set()

    def obey(self, what: str, *numbers: float) -> None:
        if what == "cut":
            self._is_open.clear()
        elif what == "mend":
            self._delay_s, self._bytes_per_s = 0.0, math.inf
            self._is_open.set()
        elif what == "slow":
            self._delay_s, self._bytes_per_s = numbers
        elif what == "reset":
            for writer in self._writers:
                _abort(writer)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        self._writers.add(writer)
        try:
            await self._is_open.wait()
            far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
            ends.append(far_writer)
            self._writers.add(far_writer)
            pumps = {
                asyncio.ensure_future(self._pump(reader, far_writer)),
                asyncio.ensure_future(self._pump(far_reader, writer)),
            }
            ended, left = await asyncio.wait(pumps, return_when=asyncio.FIRST_EXCEPTION)
            for pump in left:
                pump.cancel()
            for pump in ended:
                pump.result()
        except OSError:
            for end in ends:
                _abort(end)
        finally:
            for end in ends:
                self._writers.discard(end)
                end.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            chunk = await reader.read(_CHUNK)
            if self._delay_s:
                await asyncio.sleep(self._delay_s + len(chunk) / self._bytes_per_s)
            await self._is_open.wait()
            if not chunk:
                writer.write_eof()
                return
            writer.write(chunk)
            await writer.drain()


def _abort(writer: asyncio.StreamWriter) -> None:
    plain: socket.socket | None = writer.get_extra_info("socket")
    if plain is not None and plain.fileno() >= 0:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABRUPT)
    writer.transport.abort()


async def main(host: str, port: int, count: int) -> None:
    links = [Link(host, port) for _ in range(count)]
    servers = [await asyncio.start_server(link.serve, "127.0.0.1", 0) for link in links]
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        index, what, *numbers = line.split()
        links[int(index)].obey(what, *map(float, numbers))
        print("ok", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
