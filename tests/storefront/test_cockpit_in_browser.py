"""Does the cockpit work in a browser: at three widths, in the dark, by keyboard, without scripts or jumps?"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from playwright.async_api import async_playwright, expect

from planogram.common.v1 import context_pb2

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium; `apt-get install chromium` brings it"),
]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
WAIT_MS = 60_000
PAGES = ("/", "/devices", "/compare?right=policy:uniform-0", "/edit", "/inspect/p1")
WIDTHS = {"phone": 390, "tablet": 820, "desktop": 1280}
NO_POTS = "  - {name: no-pots, hide: {items: [pot]}}\n"


@pytest.fixture
async def browse(address):
    """Opens a page of its own browser context; pages with errors fail."""
    problems = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=WAIT_MS)

        async def opened(width=1280, **options):
            context = await browser.new_context(
                base_url=address, viewport={"width": width, "height": 900}, **options
            )
            context.set_default_timeout(WAIT_MS)
            page = await context.new_page()
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.on("response", lambda a: problems.append(f"{a.status} {a.url}") if a.status >= 400 else None)
            return page

        yield opened
        await browser.close()
    assert problems == []


async def shot(page, name):
    """Keeps a picture where the environment names a folder, for people to look at."""
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        await page.screenshot(path=Path(folder) / f"{name}.png")


async def test_every_page_fits_every_width_without_scrolling_sideways(browse):
    for device, width in WIDTHS.items():
        page = await browse(width)
        for number, path in enumerate(PAGES):
            await page.goto(path)
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (device, path)
            await shot(page, f"{device}-{number}")


async def test_three_devices_stand_beside_each_other_with_their_own_columns(browse):
    page = await browse()
    await page.goto("/devices?at=/c/kitchen")
    for device, width in WIDTHS.items():
        frame = page.frame_locator(f"iframe[title='The page on a {device}']")
        grid = frame.locator(".as-grid .cards")
        await grid.scroll_into_view_if_needed()
        columns = await grid.evaluate("grid => getComputedStyle(grid).gridTemplateColumns.split(' ').length")
        assert columns == {"phone": 2, "tablet": 3, "desktop": 4}[device]
        assert await grid.evaluate("() => innerWidth") == width
    await shot(page, "devices")


async def test_typing_a_rule_changes_the_preview_at_once(browse, services):
    page = await browse()
    await page.goto("/edit")
    await page.locator("textarea[name='rules.yaml']").press("Control+End")
    await page.keyboard.insert_text(NO_POTS)
    edited = page.get_by_role("region", name="edited")
    await expect(edited.get_by_text("no-pots")).to_be_visible(timeout=WAIT_MS)
    await expect(page.get_by_role("region", name="today").locator(".only").first).to_be_visible()
    assert await page.locator("textarea[name='rules.yaml']").input_value() == (
        services.configuration.default.files["rules.yaml"] + NO_POTS
    )
    await edited.scroll_into_view_if_needed()
    await shot(page, "edit")
    async with page.expect_download() as download:
        await page.get_by_role("button", name="Download the diff").click()
    assert f"+{NO_POTS}" in Path(await (await download.value).path()).read_text()


async def test_pages_can_be_read_and_used_without_scripts(browse):
    page = await browse(java_script_enabled=False)
    await page.goto("/")
    await page.locator("details.why summary").first.click()
    await expect(page.locator("details.why p").first).to_be_visible()
    await page.goto("/edit")
    await page.locator("textarea[name='rules.yaml']").press("Control+End")
    await page.keyboard.insert_text(NO_POTS)
    await page.get_by_role("button", name="Preview").click()
    await expect(page.get_by_role("region", name="edited").get_by_text("no-pots")).to_be_visible()
    await page.goto("/compare?right=policy:uniform-0")
    await expect(page.get_by_role("region", name="policy:uniform-0")).to_be_visible()


async def test_the_keyboard_reaches_the_page_and_shows_where_it_is(browse):
    page = await browse()
    await page.goto("/")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the shop")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/#main")
    why = page.locator("details.why summary").first
    await why.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("details.why p").first).to_be_visible()
    await page.keyboard.press("Tab")
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert await page.evaluate(outline) != "none"
    for path in PAGES[1:]:
        await page.goto(path)
        unnamed = await page.evaluate("""() => [...document.querySelectorAll('a, button, input, textarea, iframe')]
          .filter(e => e.type !== 'hidden' && !(e.innerText || e.ariaLabel || e.title || e.labels?.length
            || e.querySelector('img[alt]:not([alt=""])'))).map(e => e.outerHTML)""")
        assert unnamed == [], path


CONTRAST = """() => {
  const light = colour => {
    const [r, g, b] = colour.match(/[0-9.]+/g).map(part => part / 255)
      .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = light(getComputedStyle(document.body).backgroundColor);
  const worst = [...document.querySelectorAll('main p, main td, main h2, main label, .diff span, .mark')].map(e => {
    const ink = light(getComputedStyle(e).color);
    return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
  });
  return [paper, Math.min(...worst)];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_text_stands_out_by_day_and_in_the_dark(browse, scheme):
    page = await browse(color_scheme=scheme)
    for number, path in enumerate(PAGES):
        await page.goto(path)
        paper, contrast = await page.evaluate(CONTRAST)
        assert (paper < 0.05) == (scheme == "dark"), path
        assert contrast >= 4.5, path  # WCAG 2.2, 1.4.3
        await shot(page, f"{scheme}-{number}")


SHIFT = """new Promise(done => {
  let shift = 0;
  new PerformanceObserver(list => list.getEntries().forEach(entry => shift += entry.value))
    .observe({ type: 'layout-shift', buffered: true });
  setTimeout(() => done(shift), 600);
})"""


async def test_nothing_jumps_while_pages_load(browse):
    for width in (WIDTHS["phone"], WIDTHS["desktop"]):
        page = await browse(width)
        for path in PAGES:
            await page.goto(path)
            assert await page.evaluate(SHIFT) < 0.01, (width, path)


async def test_the_portrait_moves_with_each_click(browse):
    page = await browse()
    await page.goto("/")
    for clicks in (1, 2):
        await page.locator(".as-wall a.card").first.click()
        await page.locator("details.about summary").click()
        line = page.locator("details.about li").filter(has_text="Likes kitchen")
        await expect(line).to_have_text(f"Likes kitchen: {10 * clicks} % of it. moved")
    await shot(page, "portrait")


async def test_whoever_is_chosen_shops_at_once(browse, services):
    page = await browse()
    await page.goto("/")
    async with page.expect_navigation():
        await page.select_option("#persona", "stranger")
    await expect(page.locator("#persona")).to_have_value("stranger")
    assert services.compose.requests[-1].shopper.consent == context_pb2.CONSENT_REFUSED
