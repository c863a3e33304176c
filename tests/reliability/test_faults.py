"""A full disk, no permission, damage: a sentence says what and where, and all else goes on; see
faults.py."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HELPER = Path(__file__).with_name("faults.py")
NO_ROOM = (
    r"There is no room in the store \S+ \(.*File too large\): POST \S+ was not done\. "
    r"Make room there\."
)
DAMAGED = (
    r"No delta logs found for featuregroup full_1 that are whole: .*\. "
    r"The table is \S+/full_1_1; python -m"
)
FAULTS = {  # and what the user is told, by what is tried in turn
    "upload_to_a_full_disk": [NO_ROOM],
    "training_data_on_a_full_disk": [NO_ROOM],
    "model_on_a_full_disk": [NO_ROOM],
    # The client itself writes tables, with a text of the Delta library
    "insert_to_a_full_disk": [r".*Unable to copy data to file: File too large"],
    "overwrite_on_a_full_disk": [r".*Unable to copy data to file: File too large"],
    "metadata_on_a_full_disk": [
        r"The metadata in \S+/metadata\.db cannot be used: disk I/O error\. Nothing was changed"
    ],
    "files_that_cannot_be_written": [
        r"The store cannot be written at \S+ \(Permission denied\): POST \S+ was not done"
    ],
    "log_without_a_commit": [DAMAGED, "Kernel error"],
    "log_with_a_damaged_commit": [DAMAGED, "Kernel error"],
    "log_with_a_foreign_commit": [DAMAGED, r".*not found"],
    "table_without_a_file": [DAMAGED, r".*/full_1_1/part-\S+ not found"],
    "half_a_model": [
        r"Model with name model and version 2 looks to be corrupt .* "
        r"delete the Models/model/2 folder"
    ],
    "metadata_without_an_end": [
        r"The metadata in \S+/metadata\.db cannot be used: database disk image is malformed\.$"
    ],
    "metadata_that_is_none": [
        r"The metadata in \S+/metadata\.db cannot be used: file is not a database\.$"
    ],
    "store_of_a_newer_format": [
        r"The store \S+ has format '3'; this version of local_hopsworks reads format 2\. Use"
    ],
    "store_that_cannot_be_written": [r"The store \S+ cannot be written: Permission denied\.$"],
}


@pytest.fixture
def work() -> Iterator[Path]:
    """A folder that every user can reach, which those below pytest's own are not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def strike(run: Any, record: Any, work: Path, names: list[str]) -> None:
    environment = {"OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    done = run(sys.executable, HELPER, work, *names, env=environment, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    results = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    survived = [result for result in results if _is_survived(result)]
    record(faults_injected=len(results), survived=len(survived))
    assert [result["fault"] for result in results] == names
    assert survived == results, json.dumps(
        [result for result in results if result not in survived], indent=1
    )


def _is_survived(result: dict[str, Any]) -> bool:
    """It is told, all else worked (or the process had ended otherwise), and nothing was lost."""
    expected, said = FAULTS[result["fault"]], result.get("said", [])
    told = len(said) == len(expected) and all(map(re.match, expected, said))
    return told and result["ended"] == 0 and result["lost"] == []


@pytest.mark.reliability
@pytest.mark.timeout(700)
def test_every_fault_is_told_in_a_sentence_and_makes_nothing_worse(run, record, work):
    strike(run, record, work, list(FAULTS))
