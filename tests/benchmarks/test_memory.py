"""Peak memory of reading the largest size, over what the program had before, as a multiple of the
frame's own: embedded (server and client in one program), and bare. Each in a fresh program; Linux
only.

A pandas frame is a copy of Arrow's columns, which the SDK's read() holds until it is made: about 2
is the least. Frames that use Arrow's columns as they are need no copy: pandas' own over Arrow, and
those of polars.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.conftest import SIZES
from tests.benchmarks.work import frame, write

PEAK_MEMORY = Path(__file__).parent / "programs" / "peak_memory.py"
STORE = Path(__file__).parent / "programs" / "store_small_and_large.py"


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells the peak")
@pytest.mark.timeout(1200)
def test_peak_of_a_read(environment, reach, tmp_path, report):
    size = max(SIZES)

    def run(program, *arguments):
        env = {**environment, **reach("polars"), "LOCAL_HOPSWORKS_HOME": str(tmp_path / "store")}
        done = subprocess.run(
            [sys.executable, program, *arguments],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    run(STORE, str(size))
    for name, rows in (("small", 10), ("large", size)):
        write(tmp_path / name, frame(0, rows))
    peaks = {
        how: float(run(PEAK_MEMORY, how, tmp_path).split("MEASURED")[1])
        for how in ("bare", "to pandas", "to pandas over Arrow", "to polars")
    }
    for how, peak in list(peaks.items())[1:]:
        report(
            f"peak memory of a read {how}, in frames",
            size,
            peak,
            "bare, to pandas",
            peaks["bare"],
            "×",
        )
