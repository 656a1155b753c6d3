"""Signatures of version 4, by botocore's signer, with whatever credentials it finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import quote

import attrs
from botocore import session as botocore_session
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError
from twisted.internet.defer import Deferred, succeed

from txregistry.flow.deferred import deferred
from txregistry.flow.disk import Disk
from txregistry.flow.flights import Flights
from txregistry.storagedriver.s3.endpoint import BucketPlace
from txregistry.storagedriver.s3.request import StoreUnreachable
from txregistry.storagedriver.s3.settings import S3Settings

_UNSIGNED = "UNSIGNED-PAYLOAD"


class KeysMissing(Exception):
    """Neither the configuration nor botocore's chain has credentials."""


class FrozenKeys(Protocol):
    """Credentials as they are at one moment."""

    access_key: str
    secret_key: str
    token: str | None


class _Signer(S3SigV4Auth):  # type: ignore[misc]
    """Signs for a hash of the body that was made before."""

    def payload(self, request: Any) -> str:
        return str(request.headers.get("x-amz-content-sha256", _UNSIGNED))


@attrs.define(eq=False)
class Keychain:
    """Gives credentials; what has to ask others for them does so on a thread.

    :param load: finds credentials of botocore, or ``None``; may block for seconds.
    """

    _disk: Disk
    _load: Callable[[], Any]
    _found: Any = None
    _given: FrozenKeys | None = None
    _flights: Flights[str, FrozenKeys] = attrs.field(factory=Flights)

    def keys(self) -> Deferred[FrozenKeys]:
        """Fire with credentials that are good now.

        Fails with ``KeysMissing``, and with ``StoreUnreachable`` if who gives them out
        cannot be asked.
        """
        if self._found is not None and not self.is_renewable:
            return succeed(_frozen(self._found))
        return self._flights.join("keys", self._ask)

    def refused(self, keys: FrozenKeys) -> bool:
        """Look for other credentials than these, which the store has refused.

        Many questions are under way when credentials end: only the first that is
        refused lets go of them.

        :return: whether there may be others.
        """
        if not self.is_renewable:
            return False
        given = self._given
        if given is not None and _same(keys, given):
            self._found = self._given = None
        return True

    @property
    def is_renewable(self) -> bool:
        """Tell if there may be others after these; also while they are looked for."""
        return self._found is None or hasattr(self._found, "refresh_needed")

    @deferred
    async def _ask(self) -> FrozenKeys:
        try:
            self._given = await self._find()
        except (BotoCoreError, OSError, RuntimeError) as error:
            # Files, commands, and services at other addresses; they may be back soon.
            raise StoreUnreachable(f"credentials cannot be had: {error}") from error
        return self._given

    @deferred
    async def _find(self) -> FrozenKeys:
        if self._found is None:
            self._found = await self._disk.run(self._load)
        if self._found is None:
            raise KeysMissing("no credentials were found")
        if not (self.is_renewable and self._found.refresh_needed()):
            return _frozen(self._found)
        # A quarter of an hour before their end: to ask for new ones blocks.
        return await self._disk.run(_frozen, self._found)


def _same(one: FrozenKeys, other: FrozenKeys) -> bool:
    return (one.access_key, one.token) == (other.access_key, other.token)


def _frozen(found: Any) -> FrozenKeys:
    keys: FrozenKeys = found.get_frozen_credentials()
    return keys


def make_keychain(settings: S3Settings, disk: Disk) -> Keychain:
    """Make the keychain of a section."""
    if settings.accesskey:
        given = Credentials(
            settings.accesskey, settings.secretkey, settings.sessiontoken or None
        )
        return Keychain(disk, lambda: given, given)
    return Keychain(disk, lambda: botocore_session.Session().get_credentials())


def signed_headers(
    keys: FrozenKeys,
    region: str,
    method: str,
    url: str,
    headers: Mapping[str, str],
    at: float,
) -> dict[str, str]:
    """Give the headers of a request with its signature.

    :param headers: hold ``x-amz-content-sha256``, the hash of the body.
    :param at: seconds since the epoch.
    """
    all_headers = {**headers, "x-amz-date": _stamp(at)}
    if keys.token:
        all_headers["x-amz-security-token"] = keys.token
    request = AWSRequest(method=method, url=url, headers=all_headers)
    scope, signature, names = _sign(keys, region, request, at)
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={names},"
        f" Signature={signature}"
    )
    return {**all_headers, "Authorization": authorization}


def presigned_url(
    keys: FrozenKeys,
    endpoint: BucketPlace,
    method: str,
    key: str,
    at: float,
    seconds: int,
) -> str:
    """Give the URL of an object that is good for one method, for some time."""
    scope = _scope(keys, endpoint.region, at)
    query = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": scope,
        "X-Amz-Date": _stamp(at),
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": "host",
    }
    if keys.token:
        query["X-Amz-Security-Token"] = keys.token
    url = endpoint.url(key, encoded(sorted(query.items())))
    request = AWSRequest(method=method, url=url, headers={})
    signature = _sign(keys, endpoint.region, request, at)[1]
    return f"{url}&X-Amz-Signature={signature}"


def encoded(query: Any) -> str:
    """Encode a query as signatures want it."""
    return "&".join(
        f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
        for name, value in query
    )


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")


def _scope(keys: FrozenKeys, region: str, at: float) -> str:
    return f"{keys.access_key}/{_stamp(at)[:8]}/{region}/s3/aws4_request"


def _sign(
    keys: FrozenKeys, region: str, request: Any, at: float
) -> tuple[str, str, str]:
    signer = _Signer(keys, "s3", region)
    request.context["timestamp"] = _stamp(at)
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    names = signer.signed_headers(signer.headers_to_sign(request))
    return signer.scope(request), str(signature), names
