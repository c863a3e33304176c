"""A module of this package as a program, killed at one of its steps:

    python struck.py TOLD AT MODULE [ARGUMENT ...]

Its steps are the commits of the online store and those of Delta tables, before and after. They are
written into the file TOLD; at the one with the number AT the program is killed, once.
"""

from __future__ import annotations

import contextlib
import os
import runpy
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import deltalake
from deltalake.table import TableMerger

from local_hopsworks.online.store import OnlineStore

told, at, module = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
lock = threading.Lock()


def step(name: str) -> None:
    with lock, told.open("a") as file:
        if file.tell() and at >= 0 and told.read_text().endswith("killed\n"):
            return  # in an earlier life
        file.write(f"{name}\n")
        file.flush()
        if len(told.read_text().splitlines()) - 1 == at:
            file.write("killed\n")
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)


transaction, merge, write = OnlineStore.transaction, TableMerger.execute, deltalake.write_deltalake


@contextlib.contextmanager
def watched_transaction(self: Any, *, write: bool) -> Any:
    with transaction(self, write=write) as db:
        yield db
        if write:
            step("commit")
    if write:
        step("committed")


def watched_merge(self: Any) -> Any:
    step("merge")
    done = merge(self)
    step("merged")
    return done


def watched_write(*arguments: Any, **options: Any) -> None:
    step("write")
    write(*arguments, **options)
    step("wrote")


OnlineStore.transaction = watched_transaction  # type: ignore[method-assign]
TableMerger.execute = watched_merge  # type: ignore[method-assign]
deltalake.write_deltalake = watched_write  # type: ignore[assignment]
sys.argv = sys.argv[3:]
runpy.run_module(module, run_name="__main__")
