"""Where a bucket is: the beginning of its URLs, and for which region to sign."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import attrs
from botocore import session as botocore_session
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import BotoCoreError

from txregistry.storagedriver.s3.settings import S3Settings


@attrs.frozen
class BucketPlace:
    """The place of one bucket.

    :ivar base: the URL of the bucket, without a slash at its end.
    :ivar region: for which requests are signed.
    """

    base: str
    region: str

    def url(self, key: str = "", query: str = "") -> str:
        """Give the URL of an object, or of the bucket.

        :param query: encoded.
        """
        path = f"{self.base}/{quote(key, safe='/-_.~')}"
        return f"{path}?{query}" if query else path

    def at(self, other: str) -> BucketPlace:
        """Give the endpoint as clients see it, by another scheme and host."""
        if not other:
            return self
        mine = urlsplit(self.base)
        theirs = urlsplit(other if "://" in other else f"{mine.scheme}://{other}")
        base = mine._replace(scheme=theirs.scheme, netloc=theirs.netloc)
        return attrs.evolve(self, base=base.geturl().rstrip("/"))


def find_endpoint(settings: S3Settings) -> BucketPlace:
    """Find where the bucket of a section is; asks nobody.

    :raise ValueError: there is none for these settings.
    """
    if settings.regionendpoint:
        return _given(settings)
    files = botocore_session.get_session().get_component("data_loader")
    provider = EndpointProvider(
        files.load_service_model("s3", "endpoint-rule-set-1"),
        files.load_data("partitions"),
    )
    try:
        found = provider.resolve_endpoint(
            Bucket=settings.bucket,
            Region=settings.region,
            UseFIPS=settings.usefipsendpoint,
            UseDualStack=settings.usedualstack,
            Accelerate=settings.accelerate,
            ForcePathStyle=settings.is_path_style,
            DisableMultiRegionAccessPoints=True,
            UseGlobalEndpoint=False,
        )
    except BotoCoreError as error:
        raise ValueError(f"storage.s3: {error}") from error
    schemes = found.properties.get("authSchemes", [{}])
    url = found.url if settings.secure else found.url.replace("https:", "http:", 1)
    return BucketPlace(
        url.rstrip("/"), str(schemes[0].get("signingRegion", settings.region))
    )


def _given(settings: S3Settings) -> BucketPlace:
    url = settings.regionendpoint
    if "://" not in url:
        url = f"{'https' if settings.secure else 'http'}://{url}"
    parts = urlsplit(url.rstrip("/"))
    if settings.is_path_style:
        return BucketPlace(f"{parts.geturl()}/{settings.bucket}", settings.region)
    host = f"{settings.bucket}.{parts.netloc}"
    return BucketPlace(parts._replace(netloc=host).geturl(), settings.region)
