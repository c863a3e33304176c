"""tells_import.py PACKAGE PROGRAM: runs a program, and says when it begins to import a package."""

import runpy
import sys
from importlib.abc import MetaPathFinder


class Teller(MetaPathFinder):
    """Finds nothing, and is asked first."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == package:
            sys.meta_path.remove(self)
            print("imports", package, file=sys.__stdout__, flush=True)  # a pipeline hides the other


package, program = sys.argv[1:]
sys.meta_path.insert(0, Teller())
sys.argv = [program]
runpy.run_path(program, run_name="__main__")
