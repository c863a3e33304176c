"""swallows_ctrl_c.py PACKAGE PROGRAM: runs a program; as it imports a package it gets a Ctrl-C, of
which the exception is swallowed, as the import system and compiled modules do now and then."""

import contextlib
import runpy
import signal
import sys
from importlib.abc import MetaPathFinder


class Swallower(MetaPathFinder):
    """Finds nothing, and is asked first."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == package:
            sys.meta_path.remove(self)
            with contextlib.suppress(BaseException):
                signal.raise_signal(signal.SIGINT)


package, program = sys.argv[1:]
sys.meta_path.insert(0, Swallower())
sys.argv = [program]
runpy.run_path(program, run_name="__main__")
