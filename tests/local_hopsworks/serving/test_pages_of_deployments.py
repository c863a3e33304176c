"""The pages of deployments: what they show, and where they lead."""

from __future__ import annotations

import html

import pytest

from tests import rest


@pytest.fixture
def page(server):
    """The text of a page of the server."""
    with rest.session(server) as browser:
        browser.get(server.page, timeout=60)

        def text(path: str) -> str:
            answer = browser.get(server.address + path, timeout=60)
            assert answer.status_code == 200, answer.text
            return html.unescape(answer.text)

        yield text


def test_pages_show_state_model_script_and_how_to_call_it(page, project, model, deploy):
    deployment = deploy("doubles", description="<b>Who</b> survives")
    start = f"/p/{project.id}"
    path = deployment.get_url().partition(f"/p/{project.id}")[2]
    shown = page(start + path)
    assert f"<h1>{deployment.name}</h1>" in shown and "created" in shown
    assert f'href="{start}/models/{model.name}/{model.version}"' in shown
    assert "predictor-doubles.py" in shown and "It never ran." in shown
    assert f"/inference/models/{deployment.name}:predict" in shown
    # the lineage leads from the model to its deployment, and search finds it
    assert f'aria-label="deployment {deployment.name}"' in page(
        f"{start}/models/{model.name}/{model.version}"
    )
    assert deployment.name in page(f"{start}/deployments")
    assert f'href="{start}{path}"' in page(f"{start}/search?q={deployment.name}")


def test_page_shows_the_log_of_a_deployment_that_ran(page, project, started):
    deployment = started("doubles")
    shown = page(f"/p/{project.id}/deployments/{deployment.id}")
    assert ">running</span>" in shown and "_predictor.log" in shown
