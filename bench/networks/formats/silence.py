"""Keeps the progress bars, banners and warnings of converters off the terminal; errors come as exceptions anyway."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Throws away what is printed in the block by Python or by compiled code; for the whole process."""
    disabled = logging.root.manager.disable
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123  (a device)
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.callback(logging.disable, disabled)
        logging.disable(logging.CRITICAL)
        for descriptor, stream in ((1, sys.stdout), (2, sys.stderr)):
            stream.flush()
            _redirect(descriptor, sink.fileno(), stack)
        stack.enter_context(contextlib.redirect_stdout(sink))
        stack.enter_context(contextlib.redirect_stderr(sink))
        yield


def _redirect(descriptor: int, target: int, stack: contextlib.ExitStack) -> None:
    with contextlib.suppress(OSError):  # closed, as in a daemon: nothing to silence
        saved = os.dup(descriptor)
        stack.callback(os.close, saved)
        stack.callback(os.dup2, saved, descriptor)
        os.dup2(target, descriptor)
