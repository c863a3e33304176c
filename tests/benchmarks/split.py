"""Runs a script and prints what its wall time went into, as seconds in JSON; test_split.py starts
this.

    python split.py SCRIPT

Each moment counts once, for the first of these that it belongs to: the SDK sleeps (time.sleep, and
the end of its loading animation), our server works (it is imported, starts, stops, or has a request
or a read to answer), the main thread imports. What is left is work, the SDK's and the script's.
"""

import builtins
import json
import runpy
import sys
import threading
import time
from contextlib import contextmanager

spans = {"waiting": [], "server": [], "imports": []}
main, depth = threading.current_thread(), 0


@contextmanager
def span(what):
    start = time.perf_counter()
    try:
        yield
    finally:
        spans[what].append((start, time.perf_counter()))


def spanned(owner, name, what, applies=lambda: True):
    function = getattr(owner, name)

    def measured(*arguments, **options):
        if not applies():
            return function(*arguments, **options)
        with span(what):
            return function(*arguments, **options)

    setattr(owner, name, measured)


def is_main():
    return threading.current_thread() is main


def is_animation():
    return is_main() and sys._getframe(2).f_code.co_filename.endswith("hopsworks_common/util.py")


def measured_import(*arguments, **options):
    global depth
    if not is_main():
        return original_import(*arguments, **options)
    depth += 1
    start = time.perf_counter()
    try:
        return original_import(*arguments, **options)
    finally:
        depth -= 1
        if not depth and (end := time.perf_counter()) - start > 1e-4:
            spans["imports"].append((start, end))


def measure_server():
    """What is imported here the script imports too, at the latest with its login."""
    import hsfs  # noqa: F401  # the server needs some of what the SDK needs anyway

    with span("server"):
        from local_hopsworks import server
        from local_hopsworks.http import app
        from local_hopsworks.offline import query_service

    for name in ("__init__", "start", "stop"):
        spanned(server.Server, name, "server")
    for name in ("do_get", "do_action", "get_flight_info", "close"):
        spanned(query_service.QueryService, name, "server")
    answer, stream = app.RequireApiKey.__call__, query_service._stream

    async def answered(*arguments):
        with span("server"):
            await answer(*arguments)

    def batches(rows):
        rows = iter(rows)
        while True:
            with span("server"):
                batch = next(rows, None)
            if batch is None:
                return
            yield batch

    app.RequireApiKey.__call__ = answered
    query_service._stream = lambda rows, what: stream(Rows(rows), what)

    class Rows:
        def __init__(self, rows):
            self.rows, self.schema = rows, rows.schema

        def __iter__(self):
            return batches(self.rows)


def seconds(end):
    """Of each kind, every moment once."""
    changes = sorted(
        change
        for what, found in spans.items()
        for start, stop in found
        for change in ((start, 1, what), (min(stop, end), -1, what))
    )
    total, running, last = dict.fromkeys(spans, 0.0), dict.fromkeys(spans, 0), 0.0
    for moment, change, what in changes:
        if current := next((kind for kind in spans if running[kind]), None):
            total[current] += moment - last
        running[what] += change
        last = moment
    return total


if __name__ == "__main__":
    begun = time.perf_counter()
    original_import = builtins.__import__
    builtins.__import__ = measured_import
    measure_server()
    spanned(time, "sleep", "waiting", is_main)
    spanned(threading.Thread, "join", "waiting", is_animation)
    script = sys.argv[1]
    sys.argv = sys.argv[1:]
    try:
        runpy.run_path(script, run_name="__main__")
    finally:
        end = time.perf_counter()
        print("MEASURED" + json.dumps({**seconds(end), "all": end - begun}))
