"""Does a shopper see a page worth looking at, and does a click change what comes next?"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time

import pytest
from playwright.sync_api import sync_playwright

from services.layout import event_log

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium; `apt-get install chromium` brings it"),
]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def storefront(shop):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PLANOGRAM_STOREFRONT_PORT": str(port),
        "PLANOGRAM_STOREFRONT_LAYOUT_TARGET": shop.target,
        "PLANOGRAM_STOREFRONT_FEATURE_TARGET": f"127.0.0.1:{shop.ports['feature']}",
    }
    process = subprocess.Popen([sys.executable, "-m", "storefront"], cwd=shop.state, env=environment)
    try:
        end_s = time.monotonic() + 30
        while not is_open(port):
            assert process.poll() is None and time.monotonic() < end_s
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def is_open(port):
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def page(storefront, request):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        opened = browser.new_page(viewport=request.param, base_url=storefront)
        problems = []
        opened.on("pageerror", lambda error: problems.append(str(error)))
        opened.on("response", lambda answer: problems.append(answer.url) if answer.status >= 400 else None)
        yield opened
        browser.close()
        assert problems == []


def is_cut(page):
    """Shelves of which, on a wide screen, the fifth card does not show whole; of guides, more than three rows."""
    return page.evaluate("""() => [...document.querySelectorAll('.as-carousel .cards, .list')].filter(shelf => {
      const edges = [...shelf.children].map(child => child.getBoundingClientRect());
      const right = shelf.getBoundingClientRect().right + 0.5;
      if (shelf.matches('.list')) return new Set(edges.map(edge => Math.round(edge.top))).size > 3;
      return innerWidth >= 1280 && edges.length >= 5 && edges[4].right > right;
    }).map(shelf => shelf.closest('section').innerText)""")


DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.mark.parametrize("page", [DESKTOP, PHONE], indirect=True, ids=["desktop", "phone"])
def test_a_shopper_walks_from_home_to_the_till(page, shop):
    page.goto("/")
    slots = page.locator("section.slot")
    assert slots.count() == 6
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
    assert is_cut(page) == []
    pictures = page.locator("main img")
    assert pictures.count() >= 10
    pictures.first.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('main img').naturalWidth > 0")
    page.locator("details.why summary").first.click()
    assert page.locator("details.why[open] p").first.inner_text().strip()
    page.locator("details.why summary").first.click()

    page.get_by_role("link", name="Kitchen", exact=True).click()
    assert page.get_by_role("heading", level=1).inner_text() == "Kitchen"
    card = page.locator(".as-wall a.card").first
    title = card.locator(".name").inner_text()
    card.click()
    assert page.get_by_role("heading", level=1).inner_text() == title
    assert title in page.get_by_role("status").inner_text()

    page.get_by_role("button", name="Put into the cart").click()
    assert page.locator(".inside").inner_text().count(title) == 1
    page.get_by_role("button", name="To checkout").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Checkout"
    page.get_by_role("button", name="Buy").click()
    assert "you bought 1 item" in page.get_by_role("status").inner_text()
    page.locator("details.about summary").click()
    assert "kitchen" in page.locator("details.about li").first.inner_text().lower() or (
        "kitchen" in page.locator("details.about").inner_text().lower()
    )
    page.wait_for_timeout(800)
    types = {event.type for event in event_log.read_events(shop.state / "var/log/segments") if event.page_id}
    assert {1, 2, 5, 6} <= types  # impression, click, cart, purchase
