"""A service is whole in its folder, as CONTRIBUTING.md says."""

import re
import shutil
import sys
from pathlib import Path

import pytest
from starlette.routing import Route

from local_hopsworks.http.app import sorted_by_specificity
from local_hopsworks.http.services import discovered

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAMS = Path(__file__).resolve().parent / "programs"
EXAMPLES = re.findall(
    r"```python\n# (\S+)\n(.*?)```", (REPOSITORY / "CONTRIBUTING.md").read_text(), re.DOTALL
)


@pytest.mark.parametrize(("file", "code"), EXAMPLES, ids=[file for file, _ in EXAMPLES])
def test_example_of_a_service_is_the_code_that_runs(file, code):
    assert code in (REPOSITORY / file).read_text()


def test_example_shows_every_module_of_the_service():
    modules = {path.name for path in (REPOSITORY / "local_hopsworks/keywords").glob("*.py")}
    assert modules - {"__init__.py"} == {Path(file).name for file, _ in EXAMPLES}


def test_folder_that_is_added_is_a_service(run, tmp_path):
    package = tmp_path / "local_hopsworks"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "local_hopsworks", package, ignore=ignored)
    shutil.copytree(PROGRAMS / "bookmarks", package / "bookmarks", ignore=ignored)
    done = run(
        *(sys.executable, PROGRAMS / "with_bookmarks.py", tmp_path / "store"),
        cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path}:{REPOSITORY / 'tests' / 'offline'}"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    answers = done.stdout.splitlines()
    assert answers[:4] == ["204", "400", "['Resources']", "few"]
    assert "does not do this: folders of bookmarks (GET /project/1/bookmarks/new)" in answers[4]
    assert answers[5:7] == ["asked 1 times", "There is a bookmark of Resources. Read it."]
    assert "A server was killed in the middle of this write: bookmark projects." in answers[7]
    assert answers[8:] == ["back in projects", "1"]


@pytest.mark.parametrize("turn", [1, -1])
def test_more_specific_route_answers_whichever_was_declared_first(turn):
    def endpoint(request):
        raise AssertionError("it is not asked")

    paths = ["/a/{path:path}", "/a/{name}", "/a/{name}/b", "/a/all", "/a/{path:path}/b"]
    routes = [Route(path, endpoint) for path in paths[::turn]]
    assert [route.path for route in sorted_by_specificity(routes)] == [
        *("/a/all", "/a/{name}/b", "/a/{name}", "/a/{path:path}/b", "/a/{path:path}")
    ]


def test_no_two_routes_answer_the_same_call():
    calls = [
        (method, re.sub(r"{\w+(:\w+)?}", r"{\1}", route.path))
        for service in discovered()
        for route in (*service.routes, *service.pages)
        for method in route.methods or {"any"}
    ]
    twice = {call for call in calls if calls.count(call) > 1}
    assert not twice
