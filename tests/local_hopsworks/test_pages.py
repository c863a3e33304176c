"""The pages behind the links that the SDK prints: what they show, and to whom."""

import re
import secrets

import pandas as pd
import pytest
import requests

SCRIPT = "<script>alert('passengers & crew')</script>"


@pytest.fixture
def browser(server):
    """A browser that has shown nothing yet."""
    with requests.Session() as session:
        session.trust_env = False  # REQUESTS_CA_BUNDLE would win over `verify`
        session.verify = str(server.store.security / "ca.pem")
        yield session


@pytest.fixture
def visitor(browser, server):
    """A browser that came in through the address that `serve` prints."""
    assert browser.get(server.page, timeout=10).status_code == 200
    return browser


@pytest.fixture(scope="module")
def links(feature_store, project, api, server):
    """Every link the SDK prints for one object of each kind, by kind; all are called after a
    script."""
    name = f"t_{secrets.token_hex(4)}"
    group = feature_store.create_feature_group(
        name, 1, description=SCRIPT, primary_key=["passenger_id"]
    )
    group.insert(pd.DataFrame({"passenger_id": [1, 2], "fare": [7.25, 71.28]}))
    group.update_feature_description("fare", SCRIPT)
    group.compute_statistics()
    view = feature_store.create_feature_view(
        name, group.select_all(), description=SCRIPT, version=1
    )
    model = {
        "name": name,
        "version": 1,
        "description": SCRIPT,
        "framework": "PYTHON",
        "metrics": {SCRIPT: "0.5"},
    }
    assert api(
        "PUT", f"/project/{project.id}/modelregistries/{project.id}/models/{name}_1", json=model
    ).ok
    start = f"{server.address}/p/{project.id}"
    return {
        "project": (start, f"Project {project.name}", name),
        "feature group": (
            f"{start}/fs/{project.id}/fg/{group.id}",
            f"Feature group {name} version 1",
            "passenger_id",
        ),
        "feature view": (
            f"{start}/fs/{project.id}/fv/{view.name}/version/1",
            f"Feature view {name} version 1",
            "fare",
        ),
        "model": (f"{start}/models/{name}/1", f"Model {name} version 1", "PYTHON"),
        "job": (
            f"{start}/jobs/named/{name}_1_compute_stats/executions",
            f"Job {name}_1_compute_stats",
            "Finished",
        ),
    }


KINDS = pytest.mark.parametrize(
    "kind", ["project", "feature group", "feature view", "model", "job"]
)


@KINDS
def test_link_opens_a_page_that_shows_the_object(visitor, links, kind):
    address, title, content = links[kind]
    page = visitor.get(address, timeout=10)
    assert page.status_code == 200 and page.headers["content-type"] == "text/html; charset=utf-8"
    assert f"<h1>{title}</h1>" in page.text and content in page.text


@KINDS
def test_what_people_wrote_is_shown_as_text(visitor, links, kind):
    page = visitor.get(links[kind][0], timeout=10)
    assert "<script" not in page.text
    assert (
        "default-src 'none'" in page.headers["content-security-policy"]
    )  # nor would a browser run one
    if kind != "job":
        assert "&lt;script&gt;alert(&#x27;passengers &amp; crew&#x27;)&lt;/script&gt;" in page.text


@KINDS
def test_stranger_is_asked_for_the_key(browser, links, kind):
    address, title, content = links[kind]
    page = browser.get(address, timeout=10)
    assert page.status_code == 401 and 'name="key"' in page.text
    assert title not in page.text and content not in page.text


def test_links_are_those_that_the_sdk_prints(feature_store, links, name, server, capsys):
    group = feature_store.create_feature_group(name, 1, primary_key=["passenger_id"])
    group.insert(pd.DataFrame({"passenger_id": [1]}))
    group.compute_statistics()
    feature_store.create_feature_view(name, group.select_all(), version=1)
    printed = re.findall(r"https://\S+", capsys.readouterr().out)
    start = f"{server.address}/p/1"
    assert printed == [
        f"{start}/fs/1/fg/{group.id}", f"{start}/jobs/named/{name}_1_compute_stats/executions",
        f"{start}/fs/1/fv/{name}/version/1",
    ]  # fmt: skip


def test_key_typed_into_the_form_opens_the_page_that_asked(browser, server, links):
    address, title, _ = links["feature group"]
    page = browser.post(address, data={"key": server.api_key}, timeout=10)
    assert page.url == address and title in page.text
    assert browser.get(links["model"][0], timeout=10).status_code == 200


def test_wrong_key_opens_nothing(browser, links):
    address, title, _ = links["project"]
    page = browser.post(address, data={"key": "guess"}, timeout=10)
    assert page.status_code == 401 and "not this store" in page.text and title not in page.text
    assert browser.get(address, timeout=10).status_code == 401


@pytest.mark.parametrize("cookie", ["", "guess", "é"])
def test_wrong_token_or_cookie_opens_nothing(browser, links, cookie):
    address = links["project"][0]
    browser.cookies.set("local_hopsworks", cookie.encode().decode("latin-1"))
    assert browser.get(address, params={"token": cookie}, timeout=10).status_code == 401


def test_cookie_is_kept_from_scripts_and_other_sites(browser, server):
    answer = browser.get(server.page, timeout=10, allow_redirects=False)
    assert (
        answer.headers["location"] == "/p/"
    )  # without the token, which would stay in the browser's history
    assert {"HttpOnly", "SameSite=strict", "Secure"} <= set(
        answer.headers["set-cookie"].split("; ")
    )


def test_api_key_is_not_in_any_page_or_cookie(visitor, server, links):
    for address, _, _ in links.values():
        assert server.api_key not in visitor.get(address, timeout=10).text
    assert server.api_key not in visitor.cookies.values()


@pytest.mark.parametrize(
    "path",
    ["/p/999", "/p/1/fs/1/fg/999", "/p/1/fs/2/fg/1", "/p/1/models/none/1", "/p/x", "/p/a/b/c"],
)
def test_page_of_something_that_is_not_there_says_so(visitor, server, path):
    page = visitor.get(server.address + path, timeout=10)
    assert page.status_code in (400, 404) and "<h1>Not here</h1>" in page.text


def test_unknown_page_tells_a_stranger_nothing(browser, server):
    assert browser.get(f"{server.address}/p/a/b/c", timeout=10).status_code == 401
