"""The pages in a real browser: what a person sees and can follow, on a phone by night and on a
desktop by day."""

from __future__ import annotations

import html
import secrets
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, StorageState

from tests import chromium
from tests.axe import assert_accessible
from tests.local_hopsworks.furnishing import R2, RIDES, RMSE, SCRIPT, furnish

PATIENCE = 120_000  # milliseconds; on a busy machine a browser is slow
WIDTHS = {"phone": 390, "desktop": 1280}
SCHEMES = {"phone": "dark", "desktop": "light"}
HEIGHT = 844
KINDS = [
    "sign in", "projects", "project", "feature group", "feature view", "model", "versions", "job",
    "folder", "picture", "json", "text", "csv", "parquet", "binary", "search", "not here",
]  # fmt: skip


@pytest.fixture(scope="module")
def furnished(project, tmp_path_factory):
    """A project with some of everything."""
    return furnish(project, f"t_{secrets.token_hex(4)}", tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium.started() as started:
        yield started


@pytest.fixture(scope="module")
def signed_in(browser, server) -> StorageState:
    """The cookies of a browser that has opened the link which `serve` prints."""
    with browser.new_context(ignore_https_errors=True) as context:
        context.new_page().goto(server.page, timeout=PATIENCE)
        return context.storage_state()


@pytest.fixture
def visit(browser, server, signed_in) -> Iterator[Callable[..., Page]]:
    """Open a path of the server in a browser of its own, signed in. Nothing may be wrong with what
    is opened."""
    opened: list[tuple[Page, list[str]]] = []

    def go(path: str, *, is_signed_in: bool = True) -> Page:
        context = browser.new_context(
            viewport={"width": WIDTHS["desktop"], "height": HEIGHT},
            color_scheme="light",
            ignore_https_errors=True,
            storage_state=signed_in if is_signed_in else None,
        )
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("dialog", lambda dialog: wrong.append(f"a script ran: {dialog.message}"))
        page.on(
            "request",
            lambda request: request.url.startswith(server.address) or wrong.append(request.url),
        )
        page.on("console", lambda message: _is_refusal(message.text) or wrong.append(message.text))
        opened.append((page, wrong))
        page.goto(server.address + path)
        return page

    yield go
    for page, wrong in opened:
        assert not wrong, wrong
        page.context.close()


def _is_refusal(text: str) -> bool:
    """Chromium logs the status of a page that is not there or asks for the key."""
    return "status of 40" in text


def path_of(kind: str, furnished) -> str:
    start = furnished.paths["project"]
    others = {
        "sign in": start,
        "projects": "/",
        "search": f"{start}/search?q={furnished.name}",
        "not here": f"{start}/models/none/1",
    }
    return others.get(kind) or furnished.paths[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_page_is_accessible_and_fits_the_window_by_day_and_by_night(visit, furnished, kind):
    page = visit(path_of(kind, furnished), is_signed_in=kind != "sign in")
    name = kind.replace(" ", "_")
    for width, pixels in WIDTHS.items():
        scheme = SCHEMES[width]
        page.set_viewport_size({"width": pixels, "height": HEIGHT})
        page.emulate_media(color_scheme=scheme)
        chromium.photograph(page, f"page_{name}_{width}_{scheme}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert_accessible(page)


def follow(link: Locator) -> None:
    """Click, and wait for the whole page that it leads to: a click waits for its beginning only."""
    link.click()
    link.page.wait_for_load_state()


def row(page: Page, heading: str, name: str) -> Locator:
    """The row that begins with a name, in the table under a heading."""
    card = page.locator("section", has=page.get_by_role("heading", name=heading, exact=True))
    return card.get_by_role("row").filter(has=page.get_by_role("rowheader", name=name))


def test_feature_group_shows_rows_statistics_commits_and_users(visit, furnished):
    page = visit(furnished.paths["feature group"])
    frame = furnished.rides
    assert page.get_by_role("heading", level=1).inner_text() == f"{furnished.name} 1"
    assert page.locator(".tiles").inner_text().split("\n")[:2] == [str(RIDES), "rows"]
    minutes = row(page, "Features", "minutes").inner_text()
    # the first ride was changed to 99 minutes
    changed = frame["minutes"].copy()
    changed.iloc[0] = 99
    assert f"{changed.min():.4g}" in minutes and f"{changed.mean():.4g}" in minutes
    assert "99" in minutes and str(changed.nunique()) in minutes
    assert str(frame["note"].isna().sum()) in row(page, "Features", "note").inner_text()
    stations = row(page, "Features", "station").get_by_role("img")
    titles = stations.locator("title").all_text_contents()
    counts = frame["station"].value_counts()
    assert titles == [f"{name}: {counts[name]} rows" for name in sorted(counts.index)]
    first = page.locator("#rows tbody tr")
    assert first.count() == 10
    assert page.locator("#commits li").all_inner_texts()[0].startswith("1 row changed, ")
    assert page.locator("#commits li").all_inner_texts()[1].startswith(f"{RIDES} rows, ")
    assert page.locator("#commits li").count() == 2  # without the one that creates the table
    users = page.get_by_text("Used by").get_by_role("link").all_inner_texts()
    assert users == [f"feature view {furnished.name} 1"]
    assert SCRIPT in page.locator(".lead").inner_text()


def test_rows_are_shown_a_page_at_a_time(visit, furnished):
    page = visit(furnished.paths["feature group"])
    seen = []
    for _ in range(3):
        seen += page.locator("#rows tbody tr td:first-child").all_inner_texts()
        follow(page.locator("#rows").get_by_role("link", name="On ›"))
    assert len(set(seen)) == 30
    assert f"31 to 40 of {RIDES}" in page.locator("#rows").inner_text()
    page.goto(page.url.partition("?")[0] + f"?rows={RIDES}")
    assert page.locator("#rows tbody tr").count() == 0


def test_times_are_in_words_with_the_exact_one_as_title(visit, furnished):
    time = visit(furnished.paths["feature group"]).locator("#commits time").first
    assert time.inner_text().endswith(("ago", "just now"))
    assert time.get_attribute("title").endswith(" UTC")
    assert time.get_attribute("datetime").endswith("+00:00")


def test_feature_view_shows_groups_splits_and_sizes(visit, furnished):
    page = visit(furnished.paths["feature view"])
    docks = row(page, "Features", "docks")
    assert docks.get_by_role("link").inner_text() == f"{furnished.name}_docks 1"
    assert "label" in row(page, "Features", "minutes").inner_text()
    dataset = row(page, "Training datasets", "1")
    assert "train 75 %, test 25 %" in dataset.inner_text() and "csv" in dataset.inner_text()
    follow(dataset.get_by_role("link"))
    assert page.get_by_role("rowheader").all_inner_texts() == ["test/", "train/"]


def test_model_shows_pictures_metrics_schema_example_and_files(visit, furnished):
    page = visit(furnished.paths["model"])
    assert page.locator(".tiles").inner_text().split("\n") == ["4.75", "rmse", "0.625", "r2"]
    picture = page.get_by_role("img", name="curve.png")
    picture.scroll_into_view_if_needed()
    assert picture.evaluate("picture => picture.decode().then(() => picture.naturalWidth)") == 2
    schema = page.locator("section", has=page.get_by_role("heading", name="Schema"))
    assert {"is_member", "docks", "minutes"} <= set(schema.inner_text().replace("\t", "\n").split())
    assert "[true, 30]" in schema.inner_text()
    with page.expect_download() as kept:
        page.get_by_role("link", name="Download model.bin").click()
    assert kept.value.path().read_bytes() == bytes(range(256)) * 10


def test_versions_stand_side_by_side_with_the_best_in_bold(visit, furnished):
    page = visit(furnished.paths["versions"])
    shown = page.locator("#versions tbody tr").all_inner_texts()
    assert [text.split("\t")[0].strip() for text in shown] == ["3", "2", "1"]
    assert page.locator("#versions b").all_inner_texts() == [str(min(RMSE)), str(max(R2))]
    titles = page.locator("#versions tfoot circle title").all_text_contents()
    assert titles[:3] == [f"version {number}: {value:g}" for number, value in enumerate(RMSE, 1)]
    heights = [float(y) for y in page.locator("#versions tfoot circle").evaluate_all(
        "points => points.map(point => point.getAttribute('cy'))")]  # fmt: skip
    assert heights[0] < heights[1] < heights[2]  # a fall of the RMSE goes down


def test_lineage_leads_from_the_file_to_the_model_and_back(visit, furnished):
    page = visit(furnished.paths["model"])
    boxes = page.locator(".lying svg.lineage > a, .lying svg.lineage > g")
    texts = boxes.locator("title").all_text_contents()
    name = furnished.name
    assert texts == [
        f"feature group {name}_docks 1", f"file {name}.csv", f"feature group {name} 1",
        f"feature view {name} 1", "training dataset version 1", f"model {name} 2",
    ]  # fmt: skip
    assert page.locator(".lying svg.lineage .here title").text_content() == f"model {name} 2"
    follow(page.locator(".lying").get_by_role("link", name=f"feature view {name} 1"))
    assert page.url.endswith(furnished.paths["feature view"])
    follow(page.locator(".lying").get_by_role("link", name=f"feature group {name} 1"))
    assert page.url.endswith(furnished.paths["feature group"])
    follow(page.locator(".lying").get_by_role("link", name=f"model {name} 3"))
    assert page.get_by_role("heading", level=1).inner_text() == f"{name} 3"


def test_lineage_on_a_phone_stands_upright(visit, furnished):
    page = visit(furnished.paths["model"])
    page.set_viewport_size({"width": WIDTHS["phone"], "height": HEIGHT})
    assert not page.locator(".lying").is_visible()
    boxes = page.locator(".upright svg.lineage rect")
    tops = [box.bounding_box()["y"] for box in boxes.all()]
    assert tops == sorted(tops) and tops[0] < tops[-1]


def test_job_shows_its_runs_and_the_end_of_the_log(visit, furnished):
    page = visit(furnished.paths["job"])
    run = page.locator("section", has=page.get_by_role("heading", name="Runs")).locator("tbody tr")
    page.wait_for_function("!document.body.innerText.includes('running')")
    assert "failed" in run.inner_text() and ("ms" in run.inner_text() or "sec" in run.inner_text())
    output, errors = page.locator("pre").all_inner_texts()
    assert output.startswith("counting <script>") and errors.strip() == "no rides"
    follow(page.get_by_role("link", name="output", exact=True))
    assert "counting <script>" in page.locator("pre").inner_text()


@pytest.mark.parametrize(
    ("kind", "content"),
    [("json", '"name": "<b>Vasastan</b>"'), ("text", SCRIPT), ("binary", "There is no preview")],
)
def test_preview_of_a_file_shows_what_is_in_it(visit, furnished, kind, content):
    page = visit(furnished.paths[kind])
    preview = page.locator("section", has=page.get_by_role("heading", name="Preview"))
    assert content in preview.inner_text()


@pytest.mark.parametrize(("kind", "rows", "last"), [("csv", 120, 100), ("parquet", 2500, 2450)])
def test_tables_in_files_are_shown_a_page_at_a_time(visit, furnished, kind, rows, last):
    page = visit(furnished.paths[kind])
    assert page.locator("thead th").first.inner_text() == "ride_id"
    assert page.locator("tbody tr").count() == 50
    page.goto(f"{page.url}?from={last}")
    numbers = page.locator("tbody tr td:first-child").all_inner_texts()
    assert numbers == [str(number) for number in range(last + 1, rows + 1)]
    assert page.get_by_role("link", name="On ›").count() == 0
    follow(page.get_by_role("link", name="‹ Back"))
    assert page.locator("tbody tr td:first-child").first.inner_text() == str(last - 49)


def test_search_finds_names_descriptions_features_and_tags(visit, furnished):
    page = visit(furnished.paths["project"])
    page.get_by_role("searchbox").fill("how LONG a ride")
    follow(page.get_by_role("button", name="Search"))
    found = page.locator(".hits h2").all_inner_texts()
    assert [name for name in found if name.startswith(furnished.name)] == [
        f"{furnished.name} {version}" for version in (3, 2, 1)
    ]
    page.get_by_role("searchbox").fill(f"{furnished.name}_docks")
    with page.expect_navigation():  # a key does not wait for the page that it leads to
        page.keyboard.press("Enter")
    assert page.locator(".hits mark").first.inner_text() == f"{furnished.name}_docks"
    follow(page.locator(".hits a").first)
    assert page.get_by_role("heading", level=1).inner_text() == f"{furnished.name}_docks 1"


def test_search_for_nothing_that_is_there_offers_all_projects(visit, furnished):
    page = visit(f"{furnished.paths['project']}/search?q=%3Cb%3Enowhere%3C/b%3E")
    assert "Nothing for “<b>nowhere</b>”" in page.locator("main").inner_text()
    follow(page.get_by_role("link", name="all projects", exact=True))
    assert "in all projects" in page.locator("main").inner_text()


def test_way_back_leads_through_every_level(visit, furnished):
    page = visit(furnished.paths["picture"])
    steps = page.get_by_role("navigation", name="Breadcrumb").get_by_role("link")
    assert steps.all_inner_texts() == [
        "All projects", "tests", "Files", "Resources", furnished.name
    ]  # fmt: skip
    for _ in range(5):
        steps = page.get_by_role("navigation", name="Breadcrumb").get_by_role("link")
        follow(steps.last)
        assert page.get_by_role("heading", level=1).inner_text() != "Not here"
    assert page.get_by_role("heading", level=1).inner_text() == "Projects"


def test_every_link_of_every_page_leads_to_a_page(visit, furnished, server):
    page = visit(furnished.paths["project"])
    found: dict[str, str] = {}
    for kind in KINDS[1:-1]:
        page.goto(server.address + path_of(kind, furnished))
        targets = page.eval_on_selector_all(
            "a[href]:not([download])",
            "links => links.map(link => new URL(link.getAttribute('href'), location).href)",
        )
        for target in targets:
            if furnished.name in target or "/p/1" not in target:
                found.setdefault(target.partition("#")[0], kind)
    assert len(found) > 20
    for target, kind in found.items():
        answer = page.request.get(target)
        assert answer.status == 200, (kind, target, html.unescape(answer.text())[:500])


def test_key_signs_in_and_a_wrong_one_is_told(visit, furnished, server):
    page = visit(furnished.paths["feature group"], is_signed_in=False)
    assert str(server.store.security / "api_key") in page.locator("main").inner_text()
    page.get_by_label("API key").fill("guess")
    follow(page.get_by_role("button", name="Sign in"))
    assert page.get_by_role("alert").inner_text() == "This is not the key of this Hopsworks."
    page.get_by_label("API key").fill(server.api_key)
    page.keyboard.press("Enter")
    page.wait_for_selector("#commits")
    assert page.url == server.address + furnished.paths["feature group"]


def test_link_with_the_token_leaves_no_token_in_the_address(visit, server):
    page = visit("/p/")
    assert page.url == f"{server.address}/p/"
    page.goto(server.page)
    assert page.url == f"{server.address}/p/"
