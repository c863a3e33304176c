"""Logging in: with the SDK's own variables, or through local_hopsworks.login(); clients that come,
go and come back."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from local_hopsworks import Server
from tests import ports

PROGRAMS = Path(__file__).with_name("programs")
PRINT_PROJECT = "import hopsworks; print('project', hopsworks.login().name)"
LOCAL_PROJECT = "from local_hopsworks import login; print('project', login().name)"


@pytest.fixture
def own_home(tmp_path):
    """Environment for a program with a home, a store and a temporary folder of its own."""
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "temporary").mkdir()
    return {
        "HOME": str(home),
        "LOCAL_HOPSWORKS_HOME": str(tmp_path / "store"),
        "TMPDIR": str(tmp_path / "temporary"),
    }


# ------------------------------------------------------------------------------------------- the
# SDK's own login()


def test_login_reaches_the_project(project, server):
    assert project.name == server.project


def test_login_needs_nothing_but_the_environment(run, server):
    # And standard input is closed
    result = run(sys.executable, "-c", PRINT_PROJECT, env=server.environment)
    assert "project tests" in result.stdout, result.stderr
    assert f"Logged in to project, explore it here {server.address}/p/1" in result.stdout
    assert "arning" not in result.stderr  # nor does the SDK find the server too old or too new


def test_login_verifies_the_server(run, server, tmp_path):
    trusting = server.environment
    assert "project tests" in run(sys.executable, "-c", PRINT_PROJECT, env=trusting).stdout
    strict = {**trusting, "HOPSWORKS_TRUST_STORE_PATH": str(tmp_path / "another.pem")}
    with Server(tmp_path / "another") as another:
        (tmp_path / "another.pem").write_bytes(
            another.store.security.joinpath("ca.pem").read_bytes()
        )
    distrusting = run(sys.executable, "-c", PRINT_PROJECT, env=strict)
    assert distrusting.returncode == 1 and "CERTIFICATE_VERIFY_FAILED" in distrusting.stderr


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("HOPSWORKS_API_KEY", "guess", "The API key is missing or is not this Hopsworks' key."),
        ("HOPSWORKS_PROJECT", "titanic", "There is no project 'titanic' here, but tests."),
    ],
)
def test_login_with_a_wrong_key_or_project_says_what_is_wrong(
    run, server, variable, value, sentence
):
    result = run(sys.executable, "-c", PRINT_PROJECT, env={**server.environment, variable: value})
    assert result.returncode == 1 and sentence in result.stdout + result.stderr


def test_only_project_need_not_be_named(run, server):
    unnamed = {
        name: value for name, value in server.environment.items() if name != "HOPSWORKS_PROJECT"
    }
    assert "project tests" in run(sys.executable, "-c", PRINT_PROJECT, env=unnamed).stdout


# --------------------------------------------------------------------------------------------
# local_hopsworks.login()


def test_what_one_program_stored_the_next_one_reads(run, own_home):
    stored = run(sys.executable, PROGRAMS / "stores_with_two_handles.py", env=own_home)
    assert stored.returncode == 0, stored.stderr
    counted = run(sys.executable, PROGRAMS / "counts_rows.py", "g", env=own_home)
    assert "2 rows" in counted.stdout


def test_login_leaves_nothing_in_the_home_or_the_temporary_folder(run, own_home, tmp_path):
    result = run(sys.executable, "-c", "from local_hopsworks import login; login()", env=own_home)
    assert result.returncode == 0, result.stderr
    assert list((tmp_path / "home").rglob("*")) == []
    # The SDK leaves its folders
    assert [path for path in (tmp_path / "temporary").rglob("*") if path.is_file()] == []
    assert (tmp_path / "store" / "metadata.db").is_file()


def test_login_with_an_api_key_goes_to_that_hopsworks(run, own_home, server, tmp_path):
    result = run(sys.executable, "-c", LOCAL_PROJECT, env={**own_home, **server.environment})
    assert "project tests" in result.stdout and server.address in result.stdout
    assert not (tmp_path / "store").exists()


def test_project_is_the_one_in_the_environment(run, own_home):
    named = {**own_home, "HOPSWORKS_PROJECT": "titanic"}
    assert "project titanic" in run(sys.executable, "-c", LOCAL_PROJECT, env=named).stdout
    misnamed = {**own_home, "HOPSWORKS_PROJECT": "../titanic"}
    result = run(sys.executable, "-c", LOCAL_PROJECT, env=misnamed)
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        "local_hopsworks: A project's name is 1 to 64 letters, digits or underscores, "
        "not '../titanic'."
    ]


# ---------------------------------------------------------------------------------- clients that
# come, go, come back


@pytest.fixture
def client(environment):
    """Start a program with the SDK and return a function that has it run one line and returns what
    that printed."""
    processes = []

    def start(variables):
        process = subprocess.Popen(
            [sys.executable, PROGRAMS / "runs_lines.py"],
            env={**environment, **variables},
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        processes.append(process)

        def do(line):
            process.stdin.write(line + "\n")
            process.stdin.flush()
            return "".join(iter(process.stdout.readline, "###\n"))

        def leave():
            process.communicate(timeout=60)

        do.leave = leave
        return do

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_client_that_leaves_does_not_take_the_certificates_of_another(
    client, server, feature_store, name
):
    # The SDK keeps them in {temporary folder}/{host}/{project}/{user}, which it deletes when it
    # exits
    feature_store.create_feature_group(name, 1, primary_key=["id"]).insert(
        pd.DataFrame({"id": [1, 2]})
    )
    stays, leaves = client(server.environment), client(server.environment)
    for each in (stays, leaves):
        each("store = hopsworks.login().get_feature_store()")
    leaves.leave()
    assert stays(f"print(len(store.get_feature_group('{name}', 1).read()), 'rows')").endswith(
        "2 rows\n"
    )


def test_client_goes_on_after_the_server_was_restarted(client, serve, tmp_path):
    first, variables = serve("--home", tmp_path, "--port", str(ports.steady()))
    do = client(variables)
    do(
        "project = hopsworks.login()"
        "; store, files = project.get_feature_store(), project.get_dataset_api()"
    )
    do(
        "group = store.create_feature_group('g', 1, primary_key=['id'])"
        "; group.insert(pd.DataFrame({'id': [1, 2]}))"
    )
    assert do("print(len(group.read()), 'rows')").endswith("2 rows\n")
    first.terminate()
    assert first.wait(60) == 0
    assert "raised" in do("group.insert(pd.DataFrame({'id': [3]}))")
    serve("--home", tmp_path, "--port", variables["HOPSWORKS_PORT"])
    assert "raised" not in do("group.insert(pd.DataFrame({'id': [3, 4]}))")
    assert do("print(files.exists('Resources'))") == "True\n"
    assert do("print(sorted(group.read()['id']))").endswith("[1, 2, 3, 4]\n")
