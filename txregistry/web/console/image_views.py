"""Images as they are shown, as values of JSON: pages and the API give the same."""

from __future__ import annotations

import attrs

from txregistry.flow.deferred import deferred
from txregistry.interfaces.anatomy import ImageAnatomy, Variant
from txregistry.interfaces.images import ImageReport, ImagesRefused
from txregistry.interfaces.namespace import IRepository
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BadRequest, NotFound
from txregistry.spec.imagename import ImageName
from txregistry.spec.reference import RepositoryName
from txregistry.spec.upstreams import UpstreamTable
from txregistry.spec.values import as_values
from txregistry.web.console.comparison import differences, paired
from txregistry.web.console.sources import Sources, Values

#: Digests that a tag has stood for, of one page.
EARLIER = 20


@attrs.frozen
class ImageViews:
    """Gathers what is shown of images."""

    _sources: Sources

    @deferred
    async def image(self, text: str) -> Values:
        """Fire with all about one image; fail with ``NotFound`` if it is not here."""
        image = self.named(text)
        shown, anatomy = await self._whole(image)
        return {
            "image": shown,
            "anatomy": as_values(anatomy),
            "sizes": [variant.size for variant in anatomy.variants],
            "pull": self._pull_commands(image),
            "earlier": await self._earlier(image, anatomy.digest),
        }

    @deferred
    async def _earlier(self, image: ImageName, now: str) -> list[str]:
        """Fire with what the tag has stood for, and is still stored."""
        found: list[str] = []
        if image.tag is None:
            return found
        repository = await self.repository(str(image.repository))
        async for digest in self._sources.earlier(image.repository, image.tag):
            if len(found) == EARLIER:
                break
            is_other = str(digest) != now
            if is_other and await repository.manifests.exists(digest=digest):
                found.append(str(digest))
        return sorted(found)

    @deferred
    async def compare(self, text: str, other: str) -> Values:
        """Fire with what differs between two images, variant by variant."""
        _, old = await self._whole(self.named(text))
        _, new = await self._whole(self.named(other))
        return {
            "from": old.digest,
            "to": new.digest,
            "variants": [
                differences(before, after)
                for before, after in paired(old.variants, new.variants)
            ],
        }

    def named(self, text: str) -> ImageName:
        """Return an image as somebody has named it.

        :raise BadRequest: it is no name of an image; the message says why.
        """
        cache = self._sources.cache
        try:
            if cache is not None:
                return cache.images.named(text)
            return ImageName.parse(text, UpstreamTable())
        except (ImagesRefused, ValueError) as error:
            raise BadRequest({"image": str(error)}) from error

    @deferred
    async def explained(self, image: ImageName) -> Values:
        """Fire with what is here of an image; of a registry that is all of it."""
        cache, anatomist = self._sources.cache, self._sources.anatomist
        if cache is None:
            return _of_registry(image, await self._stored(image))
        report, made_at = await cache.images.explain(image=image), None
        if report.digest:
            top = Digest.parse(report.digest)
            made_at = await anatomist.made_at(name=image.repository, top=top)
        return _of_cache(report, made_at)

    @deferred
    async def _whole(self, image: ImageName) -> tuple[Values, ImageAnatomy]:
        """Fire with what is here of an image, and of what that is made.

        Fails with ``NotFound``.
        """
        cache, anatomist = self._sources.cache, self._sources.anatomist
        if cache is None:
            anatomy = await self._stored(image)
            return _of_registry(image, anatomy), anatomy
        report = await cache.images.explain(image=image)
        if not report.digest:
            raise NotFound({"image": str(image), "reason": "nothing of it is here"})
        top = Digest.parse(report.digest)
        anatomy = await anatomist.dissect(name=image.repository, top=top)
        return _of_cache(report, anatomy.made_at), anatomy

    @deferred
    async def _stored(self, image: ImageName) -> ImageAnatomy:
        """Fire with what an image of a registry is made of."""
        repository = await self.repository(str(image.repository))
        digest = image.digest
        if digest is None:
            assert image.tag is not None
            digest = (await repository.tags.get(tag=image.tag)).digest
        return await self._sources.anatomist.dissect(name=image.repository, top=digest)

    @deferred
    async def repository(self, name: str) -> IRepository:
        """Fire with a repository; fail with ``NameInvalid``."""
        parsed = RepositoryName.parse(name)
        repository: IRepository = await self._sources.local.repository(name=parsed)
        return repository

    def _pull_commands(self, image: ImageName) -> list[str]:
        name = f"{self._sources.host()}/{image}"
        file = image.repository.text.rpartition("/")[2]
        return [
            f"docker pull {name}",
            f"podman pull {name}",
            f"crictl pull {name}",
            f"crane pull {name} {file}.tar",
            f"skopeo copy --all docker://{name} oci:{file}",
        ]


def _of_cache(report: ImageReport, made_at: float | None) -> Values:
    size = max((item.bytes for item in report.platforms), default=0)
    return as_values(report) | {"size": size, "made_at": made_at}


def _of_registry(image: ImageName, anatomy: ImageAnatomy) -> Values:
    return {
        "image": str(image),
        "digest": anatomy.digest,
        "size": max((variant.size for variant in anatomy.variants), default=0),
        "platforms": [_platform(variant) for variant in anatomy.variants],
        "made_at": anatomy.made_at,
    }


def _platform(variant: Variant) -> Values:
    missing = [layer.digest for layer in variant.layers if not layer.is_here]
    return {
        "platform": variant.platform,
        "digest": variant.digest,
        "bytes": variant.size,
        "missing": missing,
    }
