"""The document of the API; its answers are compared with it by ``test_api``."""

from __future__ import annotations

from openapi_spec_validator import validate

from tests.web.console.cases import ConsoleCase
from txregistry.web.console.openapi import document


class OpenApiTests(ConsoleCase):
    """It is valid, and names all that answers."""

    def test_the_document(self) -> None:
        """Nothing is left out, but the document itself."""
        validate(document())
        known = {
            str(rule).replace("<int:number>", "{number}")
            for rule in self.site.resource._app.url_map.iter_rules()
        }
        ours = {path for path in known if path.startswith("/api/v1/")}
        beside = {"/api/v1/openapi.json"}
        self.assertEqual(ours - beside, set(document()["paths"]))
