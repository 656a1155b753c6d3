"""What can stand in ``storage.s3``."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.config.storage import S3
from txregistry.storagedriver.s3.settings import S3Settings, read_settings

GOOD = {"bucket": "b", "region": "r"}


class SettingsTests(SynchronousTestCase):
    """Values, and what is refused."""

    def test_keys(self) -> None:
        """The driver takes the keys that are declared, with the same defaults."""
        import attrs

        declared = {field.name: field.default for field in attrs.fields(S3)}
        for field in attrs.fields(S3Settings):
            default = declared.pop(field.name)
            if field.name not in GOOD:
                self.assertEqual(field.default, default, field.name)
        self.assertEqual(declared, {})

    def test_texts(self) -> None:
        """Variables give texts, and sizes have units."""
        found = read_settings(
            {**GOOD, "secure": "false", "chunksize": "6m", "encrypt": "True"}
        )
        self.assertEqual((found.secure, found.encrypt), (False, True))
        self.assertEqual(found.chunksize, 6 * 1024 * 1024)
        self.assertNotIn(
            "hush",
            repr(read_settings({**GOOD, "accesskey": "hush", "secretkey": "hush"})),
        )

    def test_refused(self) -> None:
        """Each refusal begins with the key that it is about."""
        for key, more in (
            ("bucket", {"bucket": ""}),
            ("region", {"region": ""}),
            ("accesskey", {"accesskey": "a"}),
            ("v4auth", {"v4auth": False}),
            ("keyid", {"keyid": "k"}),
            ("chunksize", {"chunksize": 1024}),
            ("chunksize", {"chunksize": "much"}),
            ("secure", {"secure": "perhaps"}),
            ("multipartcopychunksize", {"multipartcopychunksize": 1}),
            ("multipartcopythresholdsize", {"multipartcopythresholdsize": 1 << 40}),
            ("multipartcopymaxconcurrency", {"multipartcopymaxconcurrency": 0}),
            ("accelerate", {"accelerate": True, "regionendpoint": "https://a"}),
            ("regionendpoint", {"regionendpoint": "https://a/path"}),
            ("redirectendpoint", {"redirectendpoint": "ftp://a"}),
            ("unheard", {"unheard": 1}),
        ):
            error = self.assertRaises(ValueError, read_settings, {**GOOD, **more})
            self.assertTrue(str(error).startswith(f"storage.s3.{key}: "), str(error))

    def test_path_style(self) -> None:
        """Other servers than Amazon's have the bucket in the path."""
        self.assertFalse(read_settings(GOOD).is_path_style)
        other = {**GOOD, "regionendpoint": "http://a"}
        self.assertTrue(read_settings(other).is_path_style)
        self.assertFalse(
            read_settings({**other, "forcepathstyle": False}).is_path_style
        )

    def test_headers(self) -> None:
        """A server that knows no storage classes is told of none."""
        found = read_settings({**GOOD, "storageclass": "NONE", "objectacl": None})
        self.assertNotIn("x-amz-storage-class", found.object_headers)
