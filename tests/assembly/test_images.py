"""The images of a configured cache, which a reload changes."""

from __future__ import annotations

from tests.assembly.test_caches import TWO, CachesCase
from txregistry.assembly.eviction import assemble_pins
from txregistry.assembly.expiry import assemble_expiry, expiry_plan
from txregistry.assembly.images import build_images
from txregistry.interfaces.images import ImagesRefused
from txregistry.observe.answers import LastAnswers
from txregistry.spec.reference import RepositoryName


class BuildTests(CachesCase):
    """Built once, for whatever is configured later."""

    def setUp(self) -> None:
        super().setUp()
        self.caches = self.cache(**TWO)
        context, proxy = self.current, self.current.config.proxy
        plan = expiry_plan(proxy, self.stored)
        pins = assemble_pins(self.stored, self.caches.current.table, (), context.clock)
        self.expiry = assemble_expiry(
            self.stored,
            plan,
            context.metrics,
            context.clock,
            context.reactor,
            pins.pinned,
        )
        self.images = build_images(
            context,
            self.stored,
            self.caches,
            self.expiry,
            LastAnswers(context.clock),
        )

    def test_reload(self) -> None:
        """Names are those of the current upstreams."""
        self.assertRaises(ImagesRefused, self.images.purge_upstream, "three.example")
        name = self.images.named("two.example/a:v1")
        self.assertEqual(name.repository.text, "two.example/a")
        self.changed(self.caches, upstreams={"three.example": {}})
        self.assertRaises(ImagesRefused, self.images.named, "two.example/a:v1")
        done = self.images.purge_upstream("three.example")
        self.failureResultOf(done, ImagesRefused)  # nothing is here

    def test_expiry(self) -> None:
        """When content goes follows from the current plan."""
        name = RepositoryName("two.example/a")
        week = self.images._expiry_of(name, 1000.0)
        self.assertEqual(week, 1000.0 + 7 * 86400)
        changed = self.context(upstreams={"two.example": {"ttl": "0"}}).config.proxy
        self.expiry.scheduler.follow(expiry_plan(changed, self.stored))
        self.assertIsNone(self.images._expiry_of(name, 1000.0))
