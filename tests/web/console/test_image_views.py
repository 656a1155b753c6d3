"""What is shown of images."""

from __future__ import annotations

from typing import Any

from tests.images.cases import BUILT_AT
from tests.web.console.cases import ConsoleCase
from txregistry.spec.errors import BadRequest, NotFound
from txregistry.web.console import image_views as module
from txregistry.web.console.image_views import ImageViews

IMAGE = "corp/org/app:v1"


class ImageViewsTests(ConsoleCase):
    """Of a cache."""

    def setUp(self) -> None:
        super().setUp()
        self.views = ImageViews(self.sources)

    def image(self, text: str = IMAGE) -> Any:
        return self.house.settle(self.views.image(text))

    def test_an_image(self) -> None:
        """What it is made of, when it was built, and how to pull it."""
        self.warm(IMAGE)
        found = self.image()
        self.assertEqual(found["image"]["made_at"], BUILT_AT)
        self.assertEqual(found["image"]["size"], max(found["sizes"]))
        self.assertEqual(found["pull"][0], f"docker pull cache.example/{IMAGE}")
        self.assertEqual(
            found["pull"][-1],
            f"skopeo copy --all docker://cache.example/{IMAGE} oci:app",
        )
        self.assertEqual(found["earlier"], [])

    def test_not_here(self) -> None:
        """What is not here, or is no name."""
        for text, error in ((IMAGE, NotFound), ("!", BadRequest)):
            self.assertRaises(error, self.image, text)
            with self.assertRaises(error):
                self.house.settle(self.views.compare(text, text))

    def test_earlier(self) -> None:
        """What a tag has stood for and is still here, a number of them."""
        for size in range(2000, 2004):
            self.put_image("corp", "v1", size)
            self.house.settle(self.images.refresh(self.images.named(IMAGE)))
            self.warm(IMAGE)
        self.assertEqual(len(self.image()["earlier"]), 3)
        self.patch(module, "EARLIER", 2)
        self.assertEqual(len(self.image()["earlier"]), 2)
