"""The pages in a real Chromium: by keyboard, without scripts, checked by axe-core."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from desk.routes import ROUTES
from tests.desk.institution import Institution, address, open_cases

CHROMIUM = Path("/usr/bin/chromium")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Parts of pages and files are no pages.
PAGES = sorted(
    route.path
    for route in ROUTES
    if "GET" in route.methods and route.path not in {"/", "/worklist/news", "/worklist/export"}
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser."""
    if not CHROMIUM.exists():
        pytest.skip(f"needs Chromium at {CHROMIUM}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def _signed_in(browser: Browser, institution: Institution, person: str, **options: bool) -> Page:
    context: BrowserContext = browser.new_context(
        base_url=institution.running.url, java_script_enabled=options.get("scripts", True)
    )
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.goto(f"/sign-in/link/{institution.running.link_for(address(person))}")
    page.click("main button")
    page.wait_for_url("**/worklist")
    return page


def _tab_to(page: Page, selector: str) -> None:
    """Press the tabulator until an element that matches has the focus."""
    for _ in range(300):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    pytest.fail(f"{selector} cannot be reached by keyboard")


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_no_violation_in_either_theme_and_nothing_overflows(
    browser: Browser, institution: Institution, path: str
) -> None:
    person = "lead" if path == "/unassigned" else "adviser"
    page = _signed_in(browser, institution, person)
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text))
    case = open_cases(institution, "adviser")[0]
    address_of = re.sub(r"\{\w+\}", str(case.student_id), path)
    if path == "/meeting":
        address_of += f"?case={case.id}"
    if path.startswith("/views"):
        with institution.running.signed_in(address(person)) as visitor:
            visitor.get("/worklist")
            answer = visitor.post("/views", name="Everybody", filters="")
            address_of = answer.headers["location"]
    if path.startswith("/sign-in"):
        page.context.clear_cookies()
    for theme, width in (("light", 1280), ("dark", 1280), ("light", 390)):
        page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(address_of)
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        found = Axe().run(page, options={"runOnly": RULES})
        assert not found.violations_count, found.generate_report()
    page.set_viewport_size({"width": 320, "height": 800})  # 400% of 1280 pixels
    page.goto(address_of)
    assert page.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
    assert [text for text in errors if "404" not in text] == []
    page.context.close()


def test_from_signing_in_to_a_finished_step_by_keyboard_alone(
    browser: Browser, institution: Institution
) -> None:
    context = browser.new_context(base_url=institution.running.url)
    page = context.new_page()
    page.goto(f"/sign-in/link/{institution.running.link_for(address('adviser'))}")
    _tab_to(page, "main button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/worklist")
    _tab_to(page, "tbody a.name")
    page.keyboard.press("Enter")
    page.wait_for_url("**/students/*")
    assert page.get_by_role("heading", name="Estimate over time").is_visible()
    _tab_to(page, "button[value=accept]")
    page.keyboard.press("Enter")
    page.wait_for_url("**done=step*")
    _tab_to(page, "button[value=done]")
    page.keyboard.press("Enter")
    page.get_by_text("Step done").first.wait_for()
    page.goto("/worklist")
    _tab_to(page, "input[name=case]")
    page.keyboard.press("Space")
    _tab_to(page, "button[value=assign]")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Assign").wait_for()
    _tab_to(page, "main form button")
    page.keyboard.press("Enter")
    page.get_by_text("Assigned.").wait_for()
    context.close()


def test_the_same_works_without_scripts(browser: Browser, institution: Institution) -> None:
    page = _signed_in(browser, institution, "other", scripts=False)
    page.click("tbody a.name >> nth=0")
    page.click("button[value=accept] >> nth=0")
    assert page.get_by_text("The step is updated.").is_visible()
    page.click("summary:has-text('Write a note')")
    page.fill("#note-text", "We agreed to meet again on Tuesday.")
    page.click("button:has-text('Save note')")
    assert page.get_by_text("We agreed to meet again on Tuesday.").is_visible()
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto("/worklist")
    page.click("button.menu-button")
    page.click("nav >> text=Interventions")
    assert page.get_by_role("heading", name="Interventions").is_visible()
    page.context.close()


def test_a_card_moves_by_dragging_as_well_as_by_its_menu(
    browser: Browser, institution: Institution
) -> None:
    page = _signed_in(browser, institution, "adviser")
    page.goto("/board")
    card = page.locator("[data-state=suggested] .card").first
    name = card.get_attribute("id")
    page.drag_and_drop(f"#{name} p", "[data-state=planned]")
    page.wait_for_url("**done=moved*")
    assert page.locator(f"[data-state=planned] #{name}").count() == 1
    page.click(f"#{name} summary")
    page.select_option(f"#{name} select", "done")
    page.click(f"#{name} form button")
    page.wait_for_load_state()
    assert page.locator(f"[data-state=done] #{name}").count() == 1
    page.context.close()


def test_news_of_the_list_appear_without_moving_the_page(
    browser: Browser, institution: Institution
) -> None:
    page = _signed_in(browser, institution, "adviser")
    page.clock.install()
    page.goto("/worklist")
    page.focus("tbody a.name >> nth=2")
    case = open_cases(institution, "adviser")[-1]
    with institution.running.signed_in(address("adviser")) as colleague:
        colleague.get(f"/students/{case.student_id}")
        colleague.post(
            f"/students/{case.student_id}/contacts", kind="mail", day="2026-11-20", answered="no"
        )
    page.clock.run_for(61_000)
    page.get_by_text("The list has changed since you opened it.").wait_for()
    assert page.evaluate("document.activeElement.matches('tbody a.name')")
    page.context.close()


def test_unchanged_news_are_answered_with_304(institution: Institution) -> None:
    with institution.running.signed_in(address("adviser")) as adviser:
        page = adviser.get("/worklist").text
        found = re.search(r'data-hx-get="([^"]+)"', page)
        assert found is not None
        path = found[1].replace("&amp;", "&")
        first = adviser.get(path)
        assert first.status_code == 200
        assert first.text.strip() == ""
        again = adviser.get(path, headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
