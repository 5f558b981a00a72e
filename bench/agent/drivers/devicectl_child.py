"""The child process behind `devicectl.py`: answers as bench.measure's worker does, and runs the model on an iPhone.

Started as `python -I -c SOURCE DEVICE TEAM`; one JSON request a line on stdin, one JSON reply a line on stdout. It
drives what coremltools' MLModelBenchmarker drives (coremltools.models.ml_program.experimental: remote_device and
async_wrapper, 9.0), one layer below it, because that layer gives the output too, and nanoseconds. coremltools builds
its app `modelrunner` with Xcode, installs it with devicectl, and passes each input and output as a file that both
sides poll for. The times are of the device; between two of them it idles.

This file imports the standard library alone until a request asks for more.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import pwd
import signal
import sys
from pathlib import Path
from typing import Any

Request = dict[str, Any]

_ERROR_LENGTH = 500
_LARGEST_OUTPUT = 100_000
# The supervisor ends a late child; this is for a child whose supervisor is gone.
_ALARM_MARGIN_S = 5.0


class Phone:
    """One attached iPhone or iPad, with the models that are loaded on it."""

    def __init__(self, identifier: str, team: str) -> None:
        self._identifier = identifier
        self._team = team
        self._loop = asyncio.new_event_loop()
        self._models: dict[str, tuple[Any, dict[str, Any]]] = {}
        self._device: Any = None
        self._options: Any = {}

    def answer(self, request: Request) -> Request:
        """The reply to one request; whatever goes wrong belongs to the artifact and is told."""
        asks = {"check": self.check, "start": self.start, "load": self.load, "time": self.time}
        try:
            return asks[request["ask"]](request)
        except Exception as error:
            text = " ".join(str(error).split())
            return {"error": f"{type(error).__name__}: {text[:_ERROR_LENGTH]}"}

    def check(self, request: Request) -> Request:
        """Nothing can be looked into: the agent held names and hashes of the package to its lists."""
        del request
        return {"details": {}}

    def start(self, request: Request) -> Request:
        """Finds the device, and has coremltools build and start its app there."""
        self._find_packages(request)
        import coremltools
        from coremltools.models.ml_program.experimental import remote_device

        self._options = request.get("options") or {}
        kinds = (remote_device.DeviceType.IPHONE, remote_device.DeviceType.IPAD)
        found = [device for kind in kinds for device in remote_device.Device.get_connected_devices(kind)]
        mine = [device for device in found if self._identifier in (device.identifier, device.udid, device.name)]
        if len(mine) != 1:
            # Not by name: a hub is told of this.
            others = ", ".join(f"{device.type.value} with {device.os_version}" for device in found) or "none"
            raise ValueError(f"{len(mine)} connected devices are {self._identifier!r}; connected: {others}; name one")
        credentials = remote_device.AppSigningCredentials(development_team=self._team)
        # Kept, so that each start after the first finds the app built.
        folder = Path.home() / "Library" / "Caches" / "bench-agent" / "modelrunner"
        folder.mkdir(parents=True, exist_ok=True)
        self._device = self._wait(
            mine[0].prepare_for_model_debugging(credentials=credentials, working_directory=folder)
        )
        told = {"type": str(mine[0].type.value), "os_version": mine[0].os_version, "build": mine[0].os_build_number}
        return {
            "details": {"coremltools": coremltools.__version__, "device": told, "spacing": "idle"},
            "limits": {},
        }

    def load(self, request: Request) -> Request:
        """Compiles one package here, sends it, loads it there, and runs it once."""
        import coremltools
        import numpy
        from coremltools.models.ml_program.experimental.async_wrapper import MLModelAsyncWrapper

        artifact, side = request["artifact"], request["resolution"]
        description = coremltools.utils.load_spec(artifact["path"]).description
        wanted = [1, 3, side, side]
        shapes = [list(item.type.multiArrayType.shape) for item in description.input]
        if shapes != [wanted] or len(description.output) != 1:
            raise ValueError(f"inputs {shapes} and {len(description.output)} outputs; {wanted} and one are needed")
        units = coremltools.ComputeUnit[str(self._options.get("compute_units", "all")).upper()]
        model = MLModelAsyncWrapper.from_spec_or_path(
            spec_or_path=artifact["path"], weights_dir="", compute_units=units, device=self._device
        )
        self._wait(model.load())
        picture = numpy.random.default_rng(0).standard_normal(tuple(wanted), dtype=numpy.float32)
        feed = {str(description.input[0].name): picture}
        output = self._wait(model.predict(feed))[str(description.output[0].name)]
        values = [float(value) for value in numpy.asarray(output, numpy.float32).ravel()]
        if len(values) > _LARGEST_OUTPUT or not all(map(math.isfinite, values)):
            raise ValueError("its output is not finite, or too large; check its weights")
        self._models[artifact["label"]] = (model, feed)
        load_ns, first_ns = model.load_duration_in_nano_seconds, model.last_predict_duration_in_nano_seconds
        return {
            "details": {"compute_units": units.name.lower(), "spacing": "idle"},
            "load_ms": None if load_ns is None else load_ns / 1e6,
            "first_ms": None if first_ns is None else first_ns / 1e6,
            "output": values,
        }

    def time(self, request: Request) -> Request:
        """Runs one model so many times, each after the files of the one before have gone to and fro."""
        model, feed = self._models[request["label"]]
        samples = []
        for _ in range(request["iterations"]):
            self._wait(model.predict(feed))
            taken = model.last_predict_duration_in_nano_seconds
            if taken is None:
                raise ValueError("the device told no duration; another coremltools is needed")
            samples.append(int(taken))
        return {"samples": samples}

    def _wait(self, awaited: Any) -> Any:
        return self._loop.run_until_complete(awaited)

    def _find_packages(self, request: Request) -> None:
        # -I hides folders that the parent may have found its packages in.
        sys.path.extend(path for path in request["paths"] if path not in sys.path)


def main() -> None:
    """Answers requests until the input ends."""
    # What coremltools prints would break the replies: they keep the pipe, and stdout goes where stderr goes.
    replies = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's business
    # Xcode's settings and the keychain with the signing identity are the user's, not of the empty folder around here.
    os.environ["HOME"] = pwd.getpwuid(os.getuid()).pw_dir
    phone = Phone(sys.argv[1], sys.argv[2])
    for line in sys.stdin:
        request = json.loads(line)
        signal.setitimer(signal.ITIMER_REAL, request["limit_s"] + _ALARM_MARGIN_S)
        replies.write(json.dumps(phone.answer(request)) + "\n")
        replies.flush()
        signal.setitimer(signal.ITIMER_REAL, 0)


if __name__ == "__main__":
    main()
