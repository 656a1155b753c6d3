"""The page of what can be done."""

from __future__ import annotations

import re

import attrs
from twisted.internet.defer import succeed

from tests.web.console.cases import PageCase, Reader

IMAGE = "corp/org/app:v1"


class ActionPageTests(PageCase):
    """Forms, and what they would do."""

    def test_an_action(self) -> None:
        """A form says what it would do; the next one does it."""
        fields = {"action": "warm", "images": f" {IMAGE}\n", "platforms": ""}
        self.assertIn('name="token"', self.read("/actions"))
        got = self.submit("/actions", **fields, dry_run="1")
        self.assertEqual(got.status, 200)
        Reader(got.body.decode())
        self.assertIn(b"fetches all of it", got.body)
        self.assertEqual(self.api("jobs")["jobs"], [])
        got = self.submit("/actions", **fields)
        self.assertEqual((got.status, got.header("Location")), (303, "/jobs/1"))
        self.assertIn("begun", self.read("/jobs/1"))
        for _ in range(100):
            self.house.clock.advance(0.1)
            self.house.pump()
        text = self.read("/jobs/1")
        self.assertIn("done", text)
        self.assertIn("fetched_bytes", text)
        self.assertIn(f"<li>{IMAGE}: 11 of 11 parts fetched", text)
        self.assertIn("warm 1", self.read("/actions"))

    def test_what_cannot_be_done(self) -> None:
        """It is said why, before and after."""
        got = self.submit("/actions", action="purge", images=IMAGE, dry_run="1")
        self.assertIn(b"cannot be done", got.body)
        self.submit("/actions", action="purge", images=IMAGE)
        self.assertIn("failed", self.read("/jobs/1"))
        self.assertEqual(self.submit("/actions", action="odd").status, 400)

    def test_of_one_that_is_not_here(self) -> None:
        """It may be fetched."""
        got = self.visit(f"/image?name={IMAGE}")
        self.assertEqual(got.status, 404)
        text = got.body.decode()
        Reader(text)
        self.assertIn("Nothing of it is here.", text)
        self.assertIn(f'name="images" value="{IMAGE}"', text)
        got = self.visit("/image?name=<b>:v1")
        self.assertEqual(got.status, 400)
        self.assertNotIn(b"<b>:v1", got.body)

    def forms(self, name: str) -> list[dict[str, str]]:
        """Give the fields of each form on the page of an image."""
        text = self.page(f"/image?name={name}")
        forms = re.findall(r'<form[^>]*action="/actions".*?</form>', text, re.S)
        hidden = r'<input type="hidden" name="(.*?)" value="(.*?)"'
        return [dict(re.findall(hidden, form)) for form in forms]

    def test_names(self) -> None:
        """Actions are on the image that the page shows, whatever it was called."""
        self.warm(IMAGE)
        top = self.explain(IMAGE).digest
        self.put_image("corp", "latest")
        self.warm("corp/org/app:latest")
        by_digest = f"corp/org/app@{top}"
        for name, shown, pattern in (
            (f"docker://{IMAGE}", IMAGE, IMAGE),
            ("corp/org/app", "corp/org/app:latest", "corp/org/app:latest"),
            (by_digest, by_digest, by_digest),
            (f"{IMAGE}@{top}", f"{IMAGE}@{top}", by_digest),
        ):
            forms = self.forms(name)
            actions = [fields["action"] for fields in forms]
            refresh = [] if "@" in name else ["refresh"]
            self.assertEqual(actions, ["warm", *refresh, "purge", "pin", "unpin"])
            for fields in forms:
                self.assertIn(fields.get("images", shown), (shown,))
                self.assertIn(fields.get("pattern", pattern), (pattern,))
            self.assertIn(f"<h1>{shown}</h1>", self.read(f"/image?name={name}"))

    def test_of_no_upstream(self) -> None:
        """What is local can be neither asked for nor fetched again."""
        self.warm(IMAGE)
        report = attrs.evolve(self.explain(IMAGE), upstream="", is_local=True)
        self.patch(type(self.images), "explain", lambda *_, **__: succeed(report))
        self.assertEqual(self.forms(IMAGE), [])

    def test_of_one_image(self) -> None:
        """The page of an image leads to what can be done to it."""
        self.warm(IMAGE)
        told = []
        for fields in self.forms(IMAGE):
            got = self.submit("/actions", **fields, dry_run="1")
            self.assertEqual(got.status, 200)
            (says,) = re.findall(r'<ul class="says"><li>(.*?)</li>', got.body.decode())
            told.append((fields["action"], says))
        names = ["warm", "refresh", "purge", "pin", "unpin"]
        self.assertEqual([name for name, _ in told], names)
        for name, says in told:
            self.assertIn(IMAGE if name != "refresh" else "stands for", says, told)
        self.assertEqual(self.api("jobs")["jobs"], [])

    def test_offline(self) -> None:
        """The two forms of one command."""
        self.submit("/actions", action="offline")
        self.assertTrue(self.house.offline.is_on)
        self.submit("/actions", action="online")
        self.assertFalse(self.house.offline.is_on)
