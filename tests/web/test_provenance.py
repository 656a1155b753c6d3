"""Where an answer says that it comes from."""

from __future__ import annotations

from contextvars import copy_context

from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.provenance import current_status
from txregistry.web.provenance import collect_status


class Request:
    """Takes headers."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}

    def setHeader(self, name: str, value: str) -> None:
        self.headers[name] = value


class CollectTests(SynchronousTestCase):
    """What services report."""

    def run_with(self, fails: bool = False, reports: bool = True) -> dict[str, str]:
        request = Request()

        def answer() -> None:
            with collect_status(request):
                if reports:
                    current_status().fetched()
                if fails:
                    raise ZeroDivisionError

        if fails:
            self.assertRaises(ZeroDivisionError, copy_context().run, answer)
        else:
            copy_context().run(answer)
        return request.headers

    def test_reported(self) -> None:
        """It becomes headers at the end, of a failure as well."""
        expected = {"Cache-Status": "txregistry; fwd=miss; stored"}
        self.assertEqual(self.run_with(), expected)
        self.assertEqual(self.run_with(fails=True), expected)

    def test_nothing_to_report(self) -> None:
        """A registry, which has no upstream, says nothing."""
        self.assertEqual(self.run_with(reports=False), {})

    def test_two_answers(self) -> None:
        """What one answer was made of says nothing of another."""
        self.run_with()
        self.assertEqual(self.run_with(reports=False), {})
