from __future__ import annotations

import logging
import os
import sys
import warnings

import pytest

from bench.networks.formats.silence import silenced


def shout() -> None:
    print("python, out")
    print("python, err", file=sys.stderr)
    os.write(1, b"compiled, out\n")
    os.write(2, b"compiled, err\n")
    logging.getLogger("converter").warning("logged")
    warnings.warn("old function", DeprecationWarning, stacklevel=1)


def test_nothing_is_heard_in_the_block_and_all_after_it(capfd: pytest.CaptureFixture[str]) -> None:
    print("before")
    with silenced():
        shout()
    print("after")
    sys.stdout.flush()
    out, err = capfd.readouterr()
    assert (out, err) == ("before\nafter\n", "")
    with pytest.warns(DeprecationWarning, match="old function"):
        shout()
    out, err = capfd.readouterr()
    assert "python, out" in out
    assert "compiled, err" in err


def test_an_error_ends_the_silence(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="wrong"), silenced():
        raise ValueError("wrong")
    os.write(1, b"heard\n")
    assert capfd.readouterr().out == "heard\n"
    assert logging.root.manager.disable == logging.NOTSET
