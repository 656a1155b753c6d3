"""Where buckets are."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.storagedriver.s3.endpoint import BucketPlace, find_endpoint
from txregistry.storagedriver.s3.settings import read_settings


class EndpointTests(SynchronousTestCase):
    """Amazon's names, and those of others."""

    def base(self, **more: object) -> str:
        given = {"bucket": "bkt", "region": "eu-west-1", **more}
        return find_endpoint(read_settings(given)).base

    def test_amazon(self) -> None:
        """Its names depend on region and kind."""
        for more, wanted in (
            ({}, "https://bkt.s3.eu-west-1.amazonaws.com"),
            ({"secure": False}, "http://bkt.s3.eu-west-1.amazonaws.com"),
            ({"region": "cn-north-1"}, "https://bkt.s3.cn-north-1.amazonaws.com.cn"),
            (
                {"usedualstack": True},
                "https://bkt.s3.dualstack.eu-west-1.amazonaws.com",
            ),
            (
                {"usefipsendpoint": True, "region": "us-east-1"},
                "https://bkt.s3-fips.us-east-1.amazonaws.com",
            ),
            ({"accelerate": True}, "https://bkt.s3-accelerate.amazonaws.com"),
            ({"forcepathstyle": True}, "https://s3.eu-west-1.amazonaws.com/bkt"),
            ({"bucket": "a.b"}, "https://s3.eu-west-1.amazonaws.com/a.b"),
        ):
            self.assertEqual(self.base(**more), wanted)

    def test_impossible(self) -> None:
        """What Amazon does not have is refused with its reason."""
        error = self.assertRaises(ValueError, self.base, bucket="a.b", accelerate=True)
        self.assertIn("storage.s3: ", str(error))

    def test_others(self) -> None:
        """Others are where they are said to be."""
        for more, wanted in (
            ({"regionendpoint": "http://a:9000/"}, "http://a:9000/bkt"),
            ({"regionendpoint": "a:9000"}, "https://a:9000/bkt"),
            ({"regionendpoint": "a", "secure": False}, "http://a/bkt"),
            ({"regionendpoint": "http://a", "forcepathstyle": False}, "http://bkt.a"),
        ):
            self.assertEqual(self.base(**more), wanted)

    def test_urls(self) -> None:
        """Keys are quoted; clients may see another host."""
        place = BucketPlace("http://a/bkt", "r")
        self.assertEqual(place.url("x y/z"), "http://a/bkt/x%20y/z")
        self.assertEqual(place.url("", "q=1"), "http://a/bkt/?q=1")
        self.assertIs(place.at(""), place)
        self.assertEqual(place.at("https://c").base, "https://c/bkt")
        self.assertEqual(place.at("c:1").base, "http://c:1/bkt")
