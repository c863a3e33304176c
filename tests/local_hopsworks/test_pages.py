"""The pages as answers: to whom they are given, and what is in them as text. What a browser makes
of them is in test_pages_in_chromium.py."""

from __future__ import annotations

import contextlib
import html
import re
import secrets
import sqlite3

import pandas as pd
import pytest
import requests
from hsfs.feature import Feature

from local_hopsworks import Server
from tests import rest
from tests.local_hopsworks.furnishing import SCRIPT, furnish


@pytest.fixture
def browser(server):
    """A browser that has shown nothing yet."""
    with rest.session(server) as session:
        yield session


@pytest.fixture
def visitor(browser, server):
    """A browser that came in through the address that `serve` prints."""
    assert browser.get(server.page, timeout=60).status_code == 200
    return browser


@pytest.fixture(scope="module")
def furnished(project, tmp_path_factory):
    """A project with some of everything."""
    return furnish(project, f"t_{secrets.token_hex(4)}", tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def links(furnished, server):
    """The whole address of each page, by its kind."""
    return {kind: server.address + path for kind, path in furnished.paths.items()}


KINDS = pytest.mark.parametrize(
    "kind",
    [
        "project", "feature group", "feature view", "model", "versions", "job", "folder", "picture",
        "json", "text", "csv", "parquet", "binary",
    ],
)  # fmt: skip


@KINDS
def test_stranger_is_asked_to_sign_in(browser, furnished, links, kind):
    page = browser.get(links[kind], timeout=60)
    assert page.status_code == 401 and "<h1>Sign in</h1>" in page.text
    assert furnished.name not in page.text and 'name="key"' in page.text


@KINDS
def test_page_runs_no_script_and_asks_no_other_host(visitor, links, kind):
    page = visitor.get(links[kind], timeout=60)
    assert page.status_code == 200 and page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "script-src" not in policy
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "<script" not in page.text and " style=" not in page.text and "onload" not in page.text


@pytest.mark.parametrize("kind", ["feature group", "feature view", "model", "text"])
def test_what_people_wrote_is_shown_as_text(visitor, links, kind):
    page = visitor.get(links[kind], timeout=60).text
    assert SCRIPT not in page and SCRIPT in html.unescape(page)


@pytest.mark.parametrize("name", ["a b", "50% off?", "#1&2", "<b>", "ü", "..x"])
def test_any_name_of_a_file_has_a_page_and_a_download(visitor, server, project, furnished, name):
    folder = server.store.project(project.name) / furnished.folder / "odd names"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"this is {name}")
    listing = visitor.get(f"{server.address}{furnished.paths['folder']}/odd%20names", timeout=60)
    targets = {html.unescape(target) for target in re.findall('href="([^"]+)"', listing.text)}
    (target,) = [each for each in targets if requests.utils.unquote(each).endswith(f"/{name}")]
    page = visitor.get(server.address + target, timeout=60)
    assert f"this is {name}" in html.unescape(page.text)
    (download,) = re.findall('href="([^"]+/download/[^"]+)"', page.text)
    kept = visitor.get(server.address + html.unescape(download), timeout=60)
    assert kept.text == f"this is {name}"
    assert kept.headers["content-disposition"].startswith("attachment")


def test_links_are_those_that_the_sdk_prints(feature_store, name, server, capsys):
    group = feature_store.create_feature_group(name, 1, primary_key=["passenger_id"])
    group.insert(pd.DataFrame({"passenger_id": [1]}))
    feature_store.create_feature_view(name, group.select_all(), version=1)
    printed = re.findall(r"https://\S+", capsys.readouterr().out)
    start = f"{server.address}/p/1"
    assert printed == [f"{start}/fs/1/fg/{group.id}", f"{start}/fs/1/fv/{name}/version/1"]


def test_key_typed_into_the_form_opens_the_page_that_asked(browser, furnished, server, links):
    address = links["feature group"]
    page = browser.post(address, data={"key": server.api_key}, timeout=60)
    assert page.url == address and f"<h1>{furnished.name} 1</h1>" in page.text
    assert browser.get(links["model"], timeout=60).status_code == 200


def test_key_typed_at_the_shortest_address_opens_the_projects(browser, server):
    page = browser.post(f"{server.address}/p", data={"key": server.api_key}, timeout=60)
    assert page.status_code == 200 and "<h1>Projects</h1>" in page.text


def test_wrong_key_opens_nothing(browser, furnished, links):
    page = browser.post(links["project"], data={"key": "guess"}, timeout=60)
    assert page.status_code == 401 and "not the key of this Hopsworks" in page.text
    assert furnished.name not in page.text
    assert browser.get(links["project"], timeout=60).status_code == 401


@pytest.mark.parametrize("cookie", ["", "guess", "é"])
def test_wrong_token_or_cookie_opens_nothing(browser, visitor, server, links, cookie):
    (name,) = visitor.cookies.keys()
    with rest.session(server) as stranger:
        stranger.cookies.set(name, cookie.encode().decode("latin-1"))
        page = stranger.get(links["project"], params={"token": cookie}, timeout=60)
    assert page.status_code == 401


def test_token_opens_any_page_and_leaves_its_address(browser, server, links):
    token = server.page.partition("token=")[2]
    target = f"{links['feature group']}?rows=10&token={token}"
    answer = browser.get(target, timeout=60, allow_redirects=False)
    assert answer.status_code == 303 and token not in answer.headers["location"]
    assert answer.headers["location"].endswith("?rows=10")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert browser.get(links["feature group"], timeout=60).status_code == 200


def test_cookie_is_kept_from_scripts_and_is_not_the_token(browser, server):
    answer = browser.get(server.page, timeout=60, allow_redirects=False)
    parts = answer.headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=lax", "Secure"} <= set(parts)
    token = server.page.partition("token=")[2]
    assert token not in answer.headers["set-cookie"]
    (name,) = browser.cookies.keys()
    page = browser.get(f"{server.address}/p/", cookies={name: token}, timeout=60)
    assert page.status_code == 401


def test_browser_stays_signed_in_at_two_stores_of_a_machine(visitor, server, tmp_path):
    with Server(tmp_path) as other:
        visitor.verify = str(other.store.security / "ca.pem")
        assert visitor.get(other.page, timeout=60).status_code == 200
        visitor.verify = str(server.store.security / "ca.pem")
        assert visitor.get(f"{server.address}/p/", timeout=60).status_code == 200


def test_api_key_is_not_in_any_page_or_cookie(visitor, server, links):
    for address in links.values():
        assert server.api_key not in visitor.get(address, timeout=60).text
    assert server.api_key not in visitor.cookies.values()


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_nothing_on_a_page_changes_the_store(visitor, server, links, method):
    for address in (*links.values(), f"{server.address}/p", f"{server.address}/nothing"):
        assert visitor.request(method, address, timeout=60).status_code in (405, 501)


def test_looking_at_every_page_leaves_the_metadata_as_they_are(visitor, server, links):
    def dump():
        with contextlib.closing(sqlite3.connect(server.store.metadata_file)) as database:
            return list(database.iterdump())

    before = dump()
    for address in links.values():
        visitor.get(address, timeout=60)
    assert dump() == before


@pytest.mark.parametrize(
    "path",
    [
        "/p/999", "/p/x", "/p/{id}/fs/{id}/fg/999999", "/p/{id}/fs/{id}/fg/x",
        "/p/{id}/fs/99/fg/1",
        "/p/{id}/fs/{id}/fv/none", "/p/{id}/fs/{id}/fv/none/version/1", "/p/{id}/models/none",
        "/p/{id}/models/none/1", "/p/{id}/models/none/x", "/p/{id}/jobs/named/none",
        "/p/{id}/files/none", "/p/{id}/files/..%2f..%2fx", "/p/{id}/pictures/none.png", "/p/a/b/c",
        "/p/{id}/a/b/c", "/nothing", "/nothing/at/all",
    ],
)  # fmt: skip
def test_page_of_something_that_is_not_there_says_what_there_is(
    visitor, server, project, furnished, path
):
    page = visitor.get(server.address + path.format(id=project.id), timeout=60)
    assert page.status_code in (400, 404) and "<h1>Not here</h1>" in page.text
    if "{id}" in path and "/fs/99" not in path:
        assert furnished.name in page.text  # the project's things
    else:
        assert 'href="/p/"' in page.text


@pytest.mark.parametrize(
    "path",
    [
        "/", "/p", "/p/", "/p/{id}", "/p/{id}/", "/p/{id}/fs", "/p/{id}/fs/{id}",
        "/p/{id}/fs/{id}/fg", "/p/{id}/fs/{id}/fv", "/p/{id}/fs/{id}/fv/{name}",
        "/p/{id}/fs/{id}/fv/{name}/version", "/p/{id}/models", "/p/{id}/models/{name}",
        "/p/{id}/jobs", "/p/{id}/jobs/named", "/p/{id}/jobs/named/{name}_count/executions",
        "/p/{id}/files", "/p/{id}/files/Resources", "/account", "/account/secrets", "/p/search",
        "/p/{id}/search",
    ],
)  # fmt: skip
def test_every_level_of_an_address_leads_somewhere(visitor, server, project, furnished, path):
    place = path.format(id=project.id, name=furnished.name)
    page = visitor.get(server.address + place, timeout=60)
    assert page.status_code == 200 and "<h1>" in page.text


def test_unknown_page_tells_a_stranger_nothing(browser, server):
    assert browser.get(f"{server.address}/p/a/b/c", timeout=60).status_code == 401
    assert browser.get(f"{server.address}/nothing", timeout=60).status_code == 401


def test_path_of_the_api_is_never_a_page(visitor, server):
    page = visitor.get(f"{server.address}/hopsworks-api/api/nothing", timeout=60)
    assert page.status_code == 401 and page.headers["content-type"] == "application/json"


def test_picture_that_is_a_program_runs_nothing(visitor, server, project, furnished):
    folder = server.store.project(project.name) / furnished.folder
    drawing = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    (folder / "odd.svg").write_text(drawing)
    path = f"/p/{project.id}/pictures/{furnished.folder}/odd.svg"
    answer = visitor.get(server.address + path, timeout=60)
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/svg+xml"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "sandbox" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_file_that_is_no_picture_is_not_given_as_one(visitor, server, project, furnished):
    path = f"/p/{project.id}/pictures/{furnished.folder}/notes.txt"
    assert visitor.get(server.address + path, timeout=60).status_code == 404


def test_group_without_rows_says_so(visitor, server, project, feature_store, name):
    group = feature_store.create_feature_group(
        name, 1, primary_key=["id"], features=[Feature("id", "bigint")]
    )
    group.save()
    page = visitor.get(f"{server.address}/p/{project.id}/fs/{project.id}/fg/{group.id}", timeout=60)
    assert page.status_code == 200 and "Nothing was inserted yet." in page.text


def test_damaged_table_is_told_on_its_page_not_instead_of_it(
    visitor, server, project, feature_store, name
):
    group = feature_store.create_feature_group(name, 1, primary_key=["id"])
    group.insert(pd.DataFrame({"id": [1, 2]}))
    (file,) = server.store.feature_group(project.name, name, 1, group.id).glob("*.parquet")
    file.unlink()
    page = visitor.get(f"{server.address}/p/{project.id}/fs/{project.id}/fg/{group.id}", timeout=60)
    assert page.status_code == 200 and f"<h1>{name} 1</h1>" in page.text
    assert f"{file.name} is missing" in page.text


def test_view_of_a_deleted_group_says_so(visitor, server, project, feature_store, name):
    group = feature_store.create_feature_group(name, 1, primary_key=["id"])
    group.insert(pd.DataFrame({"id": [1, 2]}))
    feature_store.create_feature_view(name, group.select_all(), version=1)
    with rest.session(server, server.api_key) as program:
        api = f"{server.address}/hopsworks-api/api/project/{project.id}/featurestores/{project.id}"
        assert program.delete(f"{api}/featuregroups/{group.id}?force=true", timeout=60).ok
    path = f"/p/{project.id}/fs/{project.id}/fv/{name}/version/1"
    page = visitor.get(server.address + path, timeout=60)
    assert page.status_code == 200 and "cannot be read any more" in page.text


def test_online_feature_group_is_in_the_online_store(visitor, server, project, feature_store, name):
    group = feature_store.create_feature_group(name, 1, primary_key=["id"], online_enabled=True)
    group.insert(pd.DataFrame({"id": [1, 2, 3]}))
    path = f"/p/{project.id}/fs/{project.id}/fg/{group.id}"
    assert "online store</a> too" in visitor.get(server.address + path, timeout=60).text
    listed = rest.whole_list(visitor, f"{server.address}/p/{project.id}/online")
    (row,) = re.findall(rf"<tr><th[^>]*><a href=\"{path}\">(.*?)</tr>", listed, re.S)
    cells = re.sub(r"<[^>]+>", " ", row).split()
    assert cells[:4] == [name, "1", "3", "id"] and cells[-1] == "ever"
