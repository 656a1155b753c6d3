"""Pages of repositories and images."""

from __future__ import annotations

import re

from tests.web.console.cases import PageCase

IMAGE = "corp/org/app:v1"


class BrowseTests(PageCase):
    """From a search to a layer."""

    def test_browse(self) -> None:
        """From a search to a layer."""
        self.warm(IMAGE)
        self.put_signature("corp", self.explain(IMAGE).digest)
        self.assertIn('href="/repository?name=corp%2Forg%2Fapp"', self.read("/browse"))
        self.assertIn("No repository", self.read("/browse?text=nothing"))
        text = self.read("/repository?name=corp/org/app")
        self.assertIn("linux/arm64/v8", text)
        self.assertIn("<td>14 days ago</td>", text)
        self.assertIn('href="/image?name=corp%2Forg%2Fapp%3Av1"', text)
        text = self.read(f"/image?name={IMAGE}")
        self.assertIn("All of it is here for linux/amd64, linux/arm64/v8 and", text)
        self.assertIn("docker pull cache.example/corp/org/app:v1", text)
        self.assertIn("Nothing refers to it.", text)
        self.assertEqual(len(re.findall("its own", text)), 9)
        text = self.read(f"/comparison?from={IMAGE}&to={IMAGE}")
        self.assertIn("No layer differs.", text)

    def test_differences(self) -> None:
        """What came and went between two tags."""
        self.put_image("corp", "v2", 5000)
        for name in (IMAGE, "corp/org/app:v2"):
            self.warm(name)
        text = self.read(f"/comparison?from={IMAGE}&to=corp/org/app:v2")
        self.assertIn("5.0 kB", text)
        self.assertIn("3.0 kB are the same", text)

    def test_references_of_a_digest(self) -> None:
        """Links from an image that is named by its digest lead somewhere."""
        top = self.put_image("corp")
        self.put_signature("corp", top)
        self.warm(IMAGE)
        text = self.read(f"/image?name=corp/org/app@{top}")
        (reference,) = re.findall(r'href="(/image[^"]*%40[^"]*)"', text)
        self.assertIn("application/x-signature", text)
        self.read(reference)

    def test_earlier(self) -> None:
        """What a tag has stood for, and what changed since."""
        self.warm(IMAGE)
        before = self.explain(IMAGE).digest
        self.assertNotIn("Earlier", self.read(f"/image?name={IMAGE}"))
        self.put_image("corp", "v1", 5000)
        self.house.settle(self.images.refresh(self.images.named(IMAGE)))
        self.warm(IMAGE)
        text = self.read(f"/image?name={IMAGE}")
        self.assertIn("Earlier", text)
        path = f"/comparison?from=corp%2Forg%2Fapp%40{before.replace(':', '%3A')}"
        self.assertIn(path, text)
        text = self.read(f"/comparison?from=corp/org/app@{before}&to={IMAGE}")
        self.assertIn("5.0 kB", text)
