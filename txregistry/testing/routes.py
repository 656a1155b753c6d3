"""Tables of routes for many houses, without the work that is the same for each.

For every route werkzeug compiles functions that build its URLs. We never call them, and
they take most of the time that a house takes to be made.
"""

from __future__ import annotations

from txregistry.testing.werkzeug_private import builders_shared
from txregistry.web.api import Api
from txregistry.web.router import Router


def resource_of(api: Api) -> Router:
    """Give the resource of an API, as it would itself."""
    with builders_shared():
        return api.resource()
