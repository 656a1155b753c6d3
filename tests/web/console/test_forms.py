"""Forms and the options that they stand for."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.errors import BadRequest
from txregistry.web.console.forms import FORMS, form_of, options_of


class FormsTests(SynchronousTestCase):
    """From fields to options."""

    def test_options(self) -> None:
        """Lines become lists, boxes become flags, and some forms fix an option."""
        for name, fields, options in (
            (
                "warm",
                {"images": " a:1\r\n\r\nb ", "platforms": ""},
                {"images": ["a:1", "b"], "platforms": []},
            ),
            ("purge", {}, {"images": []}),
            ("pin", {"pattern": " a/* ", "token": "t"}, {"pattern": "a/*"}),
            ("collect", {"delete_untagged": "1"}, {"delete_untagged": True}),
            ("collect", {}, {"delete_untagged": False}),
            ("offline", {"on": "0"}, {"on": True}),
            ("online", {}, {"on": False}),
            ("verify", {"x": "y"}, {}),
        ):
            self.assertEqual(options_of(form_of(name), fields), options)

    def test_names(self) -> None:
        """Each is there once; others are no action."""
        names = [form.name for form in FORMS]
        self.assertEqual(len(names), len(set(names)))
        self.assertRaises(BadRequest, form_of, "reload")
