"""What runs on a device: polls a hub, times what it is given, sends raw samples back; it listens on nothing.

Python 3.9 and its standard library are enough, besides the runtime that is driven. `bench.fleet.packing` writes all of
this, with the device side of `bench.measure`, into one file (runners/agent.py); with `bench` installed,
`python -m bench.agent.main` is the same.
"""

from __future__ import annotations

# That of the package, which is not there on a device; a test keeps them equal.
VERSION = "0.1.0"

# Of the calls between agent and hub.
PROTOCOL = 1
