"""A browser that looks at the admin pages, as a program of its own.

``python -m tests.integration.console_browser TASK ADMIN REGISTRY``: a task is ``look``,
``plain``, ``live``, ``act``, ``collect`` or ``pictures``, which has a directory in the
place of the registry. It ends with 1 and says what was wrong, or with 0.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from txregistry.web.console.history_plots import PLOTS

#: Debian's Chromium asks nobody else for anything.
CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

#: All pages, by the names of their pictures.
PAGES = {
    "overview": "/",
    "browse": "/browse",
    "repository": "/repository?name=corp/org/app",
    "image": "/image?name=corp/org/app:v1",
    "comparison": "/comparison?from=corp/org/app:v1&to=corp/org/app:v2",
    "activity": "/activity",
    "actions": "/actions",
}

WIDTHS = {360: 780, 1920: 1080}
#: Lines of all plots.
PLOT_LINES = sum(len(plot.lines) for plot in PLOTS)

IMAGE, SECOND, SLOW = "corp/org/app:v1", "corp/org/app:v2", "slow/org/app:v1"


@attrs.define(eq=False)
class Visit:
    """One window, and what went wrong in it."""

    browser: Browser
    admin: str
    wrong: list[str] = attrs.field(factory=list)

    @contextmanager
    def window(self, width: int = 1280, **options: Any) -> Iterator[Page]:
        """Open a window that remembers errors and requests to others."""
        size = {"width": width, "height": WIDTHS.get(width, 900)}
        context = self.browser.new_context(viewport=size, **options)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: self._console(page, message))
        page.on("pageerror", lambda error: self.say(f"{page.url}: {error}"))
        page.on("request", lambda request: self._request(request.url))
        try:
            yield page
        finally:
            context.close()

    def say(self, text: str) -> None:
        """Remember what is wrong."""
        self.wrong.append(text)

    def go(self, page: Page, path: str) -> None:
        """Go to a path; anything but 200 is wrong."""
        # A page that is kept up to date is never quiet: wait for what it is made of.
        answer = page.goto(f"{self.admin}{path}", wait_until="load")
        if answer is None or answer.status != 200:
            self.say(f"{path}: {answer and answer.status}")

    def check(self, page: Page, path: str) -> None:
        """Look whether all fits, and what assistive tools would miss."""
        width = page.evaluate("document.documentElement.scrollWidth")
        have = page.viewport_size["width"]
        if width > have:
            self.say(f"{path}: {width} pixels wide on a screen of {have}")
        found = Axe().run(page, options={"runOnly": _RULES}).response["violations"]
        for violation in found:
            where = [node["html"][:200] for node in violation["nodes"][:3]]
            self.say(f"{path}: {violation['id']}: {violation['help']}: {where}")

    def _console(self, page: Page, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.say(f"{page.url}: console: {message.text}")

    def _request(self, url: str) -> None:
        if not url.startswith((f"{self.admin}/", "data:")):
            self.say(f"a request to {url}")


_RULES = {
    "type": "tag",
    "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}


def look(visit: Visit, registry: str) -> None:
    """Look at each page, light and dark, on a telephone and on a wall."""
    for scheme in ("light", "dark"):
        for width in WIDTHS:
            with visit.window(width, color_scheme=scheme) as page:
                for path in PAGES.values():
                    visit.go(page, path)
                    page.wait_for_selector("h1")
                    visit.check(page, path)
                visit.go(page, "/")
                page.wait_for_selector("#history .uplot")
                visit.check(page, "/ with plots")
                page.keyboard.press("Tab")
                if page.evaluate("document.activeElement.className") != "skip":
                    visit.say("the first tab stop is not the way to the content")


def plain(visit: Visit, registry: str) -> None:
    """Look at each page without scripts, and act."""
    with visit.window(java_script_enabled=False) as page:
        for path in PAGES.values():
            visit.go(page, path)
            expect(visit, f"{path} has a title", page.locator("h1").count() == 1)
        visit.go(page, "/")
        lines = page.locator("svg.plot polyline").count()
        # Each is broken where the daemon was not there, as before it started.
        pieces = lines // PLOT_LINES
        is_whole = pieces in (1, 2) and lines == pieces * PLOT_LINES
        expect(visit, f"lines of plots, not {lines}", is_whole)
        expect(visit, "no plot by a script", page.locator(".uplot").count() == 0)
        page.get_by_role("link", name="Last month").click()
        expect(visit, "another span", "span=month" in page.url)
        do(visit, page, "refresh", images=IMAGE)
        page.get_by_text("asks corp").wait_for()
        page.get_by_role("button", name="Do it").click()
        for _ in range(40):
            if page.locator(".job.done").count():
                break
            page.wait_for_timeout(250)
            page.reload()
        expect(visit, "the end of the action", page.locator(".job.done").count() == 1)


def live(visit: Visit, registry: str) -> None:
    """Have something happen, and see it without coming again."""
    with visit.window() as page:
        visit.go(page, "/")
        page.evaluate("window.stays = true")
        down = page.locator("#now tbody tr", has_text="down").inner_text()
        expect(visit, f"an upstream that is away: {down}", "away" in down)
        before = page.locator(".figure").first.inner_text()
        marks = page.locator("#now tbody tr", has_text="slow").count()
        expect(visit, "a download from the slow upstream", marks >= 1)
        kind = "application/vnd.oci.image.index.v1+json"
        for _ in range(40):
            manifest = f"{registry}/v2/corp/org/app/manifests/v1"
            asked = urllib.request.Request(manifest, headers={"Accept": kind})
            urllib.request.urlopen(asked).read()
        changed = "([now]) => document.querySelector('.figure').innerText !== now"
        page.wait_for_function(changed, arg=[before])
        expect(visit, "the same page", page.evaluate("window.stays === true"))
        stays_where_it_is(visit, page)
        page.get_by_role("button", name="Pause updates").click()
        page.get_by_role("button", name="Resume updates").click()
        refused(visit, page)
        live_work(visit, page)


def stays_where_it_is(visit: Visit, page: Page) -> None:
    """Read a table while it changes, and be left in it."""
    table = page.get_by_role("region", name="What would go next")
    table.focus()
    for _ in range(2):
        # Something else on the page is replaced meanwhile.
        page.evaluate("window.old = document.querySelector('[aria-label$=ownloads]')")
        page.wait_for_function("() => !document.contains(window.old)")
    focused = page.evaluate("document.activeElement.getAttribute('aria-label')")
    expect(visit, f"the focus in the table, not {focused}", "go next" in str(focused))


def refused(visit: Visit, page: Page) -> None:
    """Be told when updates have ended."""
    page.route("**/live", lambda route: route.fulfill(status=429, body=""))
    page.get_by_role("button", name="Pause updates").click()
    page.get_by_role("button", name="Resume updates").click()
    page.locator("#said", has_text="have ended").wait_for(state="attached")
    page.get_by_role("button", name="Resume updates").wait_for()
    page.unroute("**/live")
    visit.wrong[:] = [text for text in visit.wrong if "429" not in text]


def live_work(visit: Visit, page: Page) -> None:
    """See events and actions as they come, and one action to its end."""
    visit.go(page, "/activity?kind=changed")
    with visit.window() as other:
        visit.go(other, "/actions")
        pin = {"action": "pin", "options": {"pattern": "corp/live"}}
        number = post(visit, "jobs", pin)["number"]
        page.get_by_text("action=pin").first.wait_for()
        other.get_by_role("link", name=f"pin {number}").wait_for()
    job = post(visit, "jobs", {"action": "warm", "options": {"images": [SLOW]}})
    visit.go(page, f"/jobs/{job['number']}")
    page.locator("main .bar rect").nth(1).wait_for(state="attached")
    page.get_by_role("button", name="Stop it").focus()
    visit.check(page, "an action under way")
    page.locator(".job.done").wait_for()
    page.locator("#said", has_text="warm done").wait_for(state="attached")
    paused = page.get_by_role("button", name="Pause updates").count()
    expect(visit, "no updates after the end", not paused)
    focused = page.evaluate("document.activeElement.tagName")
    expect(visit, f"the focus on the page, not {focused}", focused == "MAIN")


def act(visit: Visit, registry: str) -> None:
    """Do each action, and see what it does to the cache."""
    both = ["clipboard-read", "clipboard-write"]
    with visit.window(permissions=both) as page:
        visit.go(page, PAGES["image"])
        page.get_by_role("button", name="Copy docker pull").click()
        page.get_by_text("Copied").wait_for()
        pasted = page.evaluate("navigator.clipboard.readText()")
        expect(visit, f"a command, not {pasted!r}", pasted.startswith("docker pull"))
        page.get_by_role("button", name="Refresh").click()
        page.get_by_text("what the tag stands for").wait_for()
        act_on(visit, page, "warm", {"images": SECOND}, "at least|all of it|whether")
        expect(visit, "it is here", tags_of(visit) >= {"v1", "v2"})
        act_on(visit, page, "refresh", {"images": IMAGE}, "what the tag stands for")
        act_on(visit, page, "pin", {"pattern": "corp/**"}, "keeps all images")
        expect(visit, "pinned", api(visit, "pins")["patterns"] == ["corp/**"])
        act_on(visit, page, "unpin", {"pattern": "corp/**"}, "may go")
        expect(visit, "not pinned", not api(visit, "pins")["patterns"])
        act_on(visit, page, "verify", {}, "reads all that is stored")
        act_on(visit, page, "purge", {"images": SECOND}, "removes 1 tag")
        expect(visit, "it is gone", tags_of(visit) == {"v1"})
        act_on(visit, page, "offline", {}, "asks none of 3 upstreams")
        expect(visit, "offline", api(visit, "overview")["cache"]["offline"])
        visit.go(page, "/")
        page.get_by_text("no upstream is asked").wait_for()
        act_on(visit, page, "online", {}, "are asked again")
        expect(visit, "online", not api(visit, "overview")["cache"]["offline"])
        visit.go(page, "/activity?kind=changed")
        for action in ("purge", "pin", "offline"):
            page.get_by_text(f"action={action}").first.wait_for()


def collect(visit: Visit, registry: str) -> None:
    """Have a registry collect and verify what it has."""
    with visit.window() as page:
        act_on(visit, page, "collect", {}, "would keep 7 blobs")
        act_on(visit, page, "verify", {}, "reads all that is stored")
        visit.go(page, "/")
        page.get_by_text("This registry caches nothing.").wait_for()
        visit.check(page, "/ of a registry")
        visit.go(page, "/image?name=org/app:v1")
        page.get_by_text("linux/amd64").first.wait_for()


def act_on(
    visit: Visit, page: Page, name: str, fields: dict[str, str], says: str
) -> None:
    """Have one action say what it would do, then do it, by the keyboard alone."""
    do(visit, page, name, **fields)
    said = page.locator(".says").inner_text()
    if not any(part in said for part in says.split("|")):
        visit.say(f"{name} says {said!r}")
    visit.check(page, f"what {name} would do")
    before = page.url
    page.get_by_role("button", name="Do it").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/jobs/" in url and url != before)
    page.locator(".job.done, .job.failed").wait_for()
    if page.locator(".job.failed").count():
        visit.say(f"{name} failed: {page.locator('main').inner_text()}")
    visit.check(page, f"{name} done")


def do(visit: Visit, page: Page, name: str, **fields: str) -> None:
    """Fill in a form, and ask what it would do."""
    visit.go(page, "/actions")
    form = page.locator(f"form:has(input[name=action][value={name}])")
    for field, text in fields.items():
        form.locator(f"[name={field}]").fill(text)
    form.get_by_role("button", name="Say what it would do").click()
    page.locator(".says").wait_for()


def tags_of(visit: Visit) -> set[str]:
    """Give the tags that are here."""
    found = api(visit, "tags?repository=corp/org/app")["tags"]
    return {each["tag"] for each in found if each["image"]["digest"]}


def api(visit: Visit, path: str) -> Any:
    """Ask the API."""
    with urllib.request.urlopen(f"{visit.admin}/api/v1/{path}") as answer:
        return json.loads(answer.read())


def post(visit: Visit, path: str, values: Any) -> Any:
    """Ask the API to do something."""
    headers = {
        "Content-Type": "application/json",
        "X-CSRF-Token": api(visit, "session")["token"],
    }
    asked = urllib.request.Request(
        f"{visit.admin}/api/v1/{path}", json.dumps(values).encode(), headers
    )
    with urllib.request.urlopen(asked) as answer:
        return json.loads(answer.read())


def expect(visit: Visit, what: str, is_so: bool) -> None:
    """Remember what is not as it should be."""
    if not is_so:
        visit.say(f"expected: {what}")


def pictures(visit: Visit, directory: str) -> None:
    """Take a picture of each page, light and dark."""
    for scheme in ("light", "dark"):
        with visit.window(1280, color_scheme=scheme) as page:
            for name, path in {"action": _begun(visit), **PAGES}.items():
                visit.go(page, path)
                page.wait_for_timeout(3000)
                place = str(Path(directory) / f"{name}-{scheme}.png")
                page.screenshot(path=place, full_page=name != "activity")


def _begun(visit: Visit) -> str:
    """Begin an action that takes some seconds; give the path of its page."""
    question = {"action": "warm", "options": {"images": [SLOW]}}
    return f"/jobs/{post(visit, 'jobs', question)['number']}"


TASKS: dict[str, Callable[[Visit, str], None]] = {
    "look": look,
    "plain": plain,
    "live": live,
    "act": act,
    "collect": collect,
    "pictures": pictures,
}


def main() -> None:
    """Do one task."""
    task, admin, other = sys.argv[1:]
    with sync_playwright() as playwright:
        launch = playwright.chromium.launch
        browser = launch(executable_path=CHROMIUM, args=list(FLAGS))
        visit = Visit(browser, admin)
        TASKS[task](visit, other)
        browser.close()
    if visit.wrong:
        sys.exit("\n".join(dict.fromkeys(visit.wrong)))


if __name__ == "__main__":
    main()
