"""The example of a deployment: the model in service, asked for a passenger by id."""

from __future__ import annotations

import re
import shutil
import sys

import pytest

from tests.pipelines import REPOSITORY, Scripts

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def store(trained, tmp_path_factory):
    return shutil.copytree(trained, tmp_path_factory.mktemp("deployed") / "copy")


@pytest.fixture(scope="module")
def ask(run, store):
    """What the example prints of a passenger."""

    def start(passenger=None):
        env = {"LOCAL_HOPSWORKS_HOME": str(store / "store")}
        if passenger is not None:
            env["PASSENGER"] = str(passenger)
        return run(sys.executable, REPOSITORY / "tools" / "deploy_model.py", env=env, timeout=250)

    return start


def test_deployment_tells_the_chance_of_a_passenger_by_id(ask, run, store):
    newest, seventh = ask(), ask(7)
    expected = Scripts(run, store).look("show_chances.py")
    for done, passenger in ((newest, "891"), (seventh, "7")):
        assert done.returncode == 0, done.stderr
        assert "serves version 1 of the model" in done.stdout
        [told, percent] = re.search(r"Passenger (\d+) survives .* of (\d+)%", done.stdout).groups()
        assert told == passenger
        assert int(percent) == pytest.approx(100 * expected[passenger], abs=1)


def test_unknown_passenger_is_told_in_one_sentence(ask):
    done = ask(123456)
    assert done.returncode == 1 and done.stderr.strip() == "There is no passenger 123456."
