"""Who may know what: circuits, cookies, storages, challenges, tokens, registries."""

from __future__ import annotations

from tests.upstreams.odd import (
    Answer,
    Asked,
    Case,
    redirect,
    token,
    unauthorized,
)
from txregistry.spec.digest import Digest

SIGNED = "X-Amz-Signature=abc&X-Amz-Expires=60"


class OnePathFails(Case):
    """Of a path that answers 500 again and again, no other path hears anything."""

    def answer(self, asked: Asked) -> Answer:
        bad = "manifests/bad" in asked.path
        return Answer(500) if bad else self.plain(asked)

    async def run(self) -> None:
        got = await self.get(self.path("manifests/v1"))
        self.check(got.status, 200)
        for _ in range(8):
            got = await self.get(self.path("manifests/bad"))
            self.check(got.status in (502, 503), True, got.status)
        await self.pull_blob()
        await self.wait_for_tag()
        for _ in range(8):
            await self.get(self.path("manifests/bad"))
        got = await self.get(self.path("manifests/v1"))
        self.check((got.status, got.header("Warning")), (200, None))


class Cookies(Case):
    """No cookie is kept: this upstream refuses whoever shows one."""

    def answer(self, asked: Asked) -> Answer:
        if "cookie" in asked.headers:
            return Answer(401)
        found = self.plain(asked)
        headers = {**found.headers, "Set-Cookie": ["sid=1; Path=/", "b=" + "x" * 4000]}
        return Answer(found.status, found.body, headers)

    async def run(self) -> None:
        for _ in range(3):
            await self.pull()
            await self.wait_for_tag()


class StorageRefusesOnce(Case):
    """A URL that has expired is asked for anew at the registry."""

    refusals = [401, 403, 404]

    def answer(self, asked: Asked) -> Answer:
        if asked.path.startswith("/storage/"):
            status = self.refusals[int(asked.query["n"]) % 3]
            turn = self.count("GET", f"/storage/{self.name}?n=")
            return Answer(status) if turn == 1 else self.whole()
        if "/blobs/" in asked.path:
            n = len(self.asked)
            return redirect(f"{self.place.there}/storage/{self.name}?n={n}")
        return self.plain(asked)


class StorageRefusesInTheMiddle(Case):
    """In the middle of a layer the part that is there stays, and the rest follows."""

    def answer(self, asked: Asked) -> Answer:
        if not asked.path.startswith("/storage/"):
            url = f"{self.place.there}/storage/{self.name}"
            return redirect(url) if "/blobs/" in asked.path else self.plain(asked)
        turn = self.count("GET", "/storage/")
        if turn == 1:
            return Answer(body=self.blob, cut_after=200_000)
        if turn == 2:
            return Answer(403)
        if "range" not in asked.headers:
            # On a busy machine what was sent before the cut may be lost with it.
            return self.whole()
        start = int(asked.headers["range"][6:].rstrip("-"))
        size = len(self.blob)
        content_range = f"bytes {start}-{size - 1}/{size}"
        return Answer(206, self.blob[start:], {"Content-Range": content_range})


class StorageRefusesAlways(Case):
    """What a storage keeps refusing is a failure of the upstream, not of access."""

    def answer(self, asked: Asked) -> Answer:
        if asked.path.startswith("/storage/"):
            return Answer(403)
        return redirect(f"{self.place.there}/storage/{self.name}")

    async def run(self) -> None:
        got = await self.get(self.blob_path)
        self.check(got.status, 502)


class RegistryAsStorageLags(Case):
    """A blob's redirect target may be a registry as well, and lag behind."""

    def answer(self, asked: Asked) -> Answer:
        if "/blobs/" not in asked.path:
            return self.plain(asked)
        if asked.headers["host"] in self.place.here:
            return redirect(self.place.there + asked.url)
        turn = sum(a.headers["host"] in self.place.there for a in self.asked)
        return Answer(404) if turn == 1 else self.whole()


class BasicThenBearer(Case):
    """Of several challenges in two lines, the one that can be met is met."""

    lines = True

    def answer(self, asked: Asked) -> Answer:
        if asked.path.startswith("/token/"):
            return token()
        if asked.given == "Bearer t":
            return self.plain(asked)
        basic = 'Basic realm="a, b"'
        bearer = f'Bearer realm="{self.place.here}/token/{self.name}",service="s"'
        if self.lines:
            return unauthorized(basic, bearer)
        return unauthorized(f"{basic}, {bearer}")


class BasicThenBearerInOneLine(BasicThenBearer):
    """The same in one line."""

    lines = False


class TokenServiceMoves(Case):
    """A token service that has gone is forgotten, and the new one is learnt."""

    moved = False
    token_ends = True

    def answer(self, asked: Asked) -> Answer:
        if asked.path.startswith("/old/"):
            return Answer(self.status_of_old()) if self.moved else token("old")
        if asked.path.startswith("/new/"):
            return token("new")
        wanted, where = ("new", "new") if self.moved else ("old", "old")
        if asked.given == f"Bearer {wanted}":
            return self.plain(asked)
        realm = f"{self.place.here}/{where}/{self.name}"
        return unauthorized(f'Bearer realm="{realm}"')

    def status_of_old(self) -> int:
        return 404

    async def run(self) -> None:
        got = await self.get(self.path("manifests/v1"))
        self.check(got.status, 200)
        self.moved = True
        if self.token_ends and self.place.on_clock:
            # Until the token that is known has ended, and its service is asked.
            await self.place.wait(301)
        await self.pull_blob()


class TokenServiceRefuses(TokenServiceMoves):
    """Nor does its refusal stand, once the registry names another."""

    def status_of_old(self) -> int:
        return 403


class TokensNoLongerNeeded(TokenServiceMoves):
    """A registry that has become open is asked plainly."""

    def answer(self, asked: Asked) -> Answer:
        if self.moved and not asked.path.startswith(("/old/", "/new/")):
            return Answer(403) if asked.given else self.plain(asked)
        return super().answer(asked)


class TwoRealms(Case):
    """Two repositories may name realms of their own, one of which is dead."""

    def answer(self, asked: Asked) -> Answer:
        if asked.path.startswith("/dead/"):
            return Answer(500)
        if asked.path.startswith("/live/"):
            return token("live")
        if asked.given == "Bearer live" and "/live/" in asked.path:
            return self.document(self.manifest)
        where = "live" if "/live/" in asked.path else "dead"
        realm = f"{self.place.here}/{where}/{self.name}"
        return unauthorized(f'Bearer realm="{realm}"')

    async def run(self) -> None:
        for _ in range(3):
            got = await self.get(f"/v2/{self.name}/dead/manifests/v1")
            self.check(got.status, 502)
        got = await self.get(f"/v2/{self.name}/live/manifests/v1")
        self.check(got.status, 200)


class TokenServiceHangs(TokenServiceMoves):
    """A token service that says no more is forgotten like one that has gone."""

    def answer(self, asked: Asked) -> Answer:
        if self.moved and asked.path.startswith("/old/"):
            return Answer(hang=True)
        return super().answer(asked)


class TokenOfAnotherKey(TokenServiceMoves):
    """A token that a registry takes no more for good is replaced by a fresh one."""

    token_ends = False

    def answer(self, asked: Asked) -> Answer:
        if asked.path.startswith("/old/"):
            return token("new" if self.moved else "old")
        wanted = "new" if self.moved else "old"
        if asked.given == f"Bearer {wanted}":
            return self.plain(asked)
        if asked.given:
            return Answer(403)
        return unauthorized(f'Bearer realm="{self.place.here}/old/{self.name}"')


class TokenServiceRedirects(Case):
    """A token service may send us on, on its own host."""

    def answer(self, asked: Asked) -> Answer:
        for status in (301, 302, 307, 308):
            if asked.path.startswith(f"/{status}/"):
                return redirect(f"/moved/{self.name}?status={status}", status)
        if asked.path.startswith("/moved/"):
            return token(asked.query["status"])
        for status in (301, 302, 307, 308):
            if f"/manifests/v{status}" in asked.path:
                if asked.given == f"Bearer {status}":
                    return self.document(self.manifest)
                realm = f"{self.place.here}/{status}/{self.name}"
                return unauthorized(f'Bearer realm="{realm}"')
        return self.plain(asked)

    async def run(self) -> None:
        for status in (301, 302, 307, 308):
            got = await self.get(self.path(f"manifests/v{status}"))
            self.check((status, got.status), (status, 200))


class VanityHost(Case):
    """A host that stands before a registry: its challenge is met, anonymously."""

    def answer(self, asked: Asked) -> Answer:
        host = asked.headers["host"]
        if asked.path.startswith("/token/"):
            return Answer(400) if asked.given else token("there")
        if host in self.place.here:
            return redirect(self.place.there + asked.url, 302)
        if asked.given == "Bearer there":
            return self.plain(asked)
        realm = f"{self.place.there}/token/{self.name}"
        return unauthorized(f'Bearer realm="{realm}",service="x"')


class SignedUrlOnOwnHost(Case):
    """A signed URL on the registry's own host is shown no token."""

    def answer(self, asked: Asked) -> Answer:
        if asked.path.startswith("/token/"):
            return token()
        if asked.path.startswith("/storage/"):
            return Answer(400) if asked.given else self.whole()
        if asked.given != "Bearer t":
            realm = f"{self.place.here}/token/{self.name}"
            return unauthorized(f'Bearer realm="{realm}"')
        if "/blobs/" in asked.path:
            return redirect(self.signed())
        return self.plain(asked)

    def signed(self) -> str:
        return f"{self.place.here}/storage/{self.name}?{SIGNED}"


class UnknownSignatureOnOwnHost(SignedUrlOnOwnHost):
    """Nor is one that nobody has heard of, in the end."""

    def signed(self) -> str:
        return f"{self.place.here}/storage/{self.name}?ticket=abc"


class NoUserAgent(Case):
    """An upstream that refuses whoever does not say what it is."""

    def answer(self, asked: Asked) -> Answer:
        named = asked.headers.get("user-agent", "").startswith("txregistry/")
        return self.plain(asked) if named else Answer(403)


class TenRedirects(Case):
    """Redirects are followed for ten steps."""

    def answer(self, asked: Asked) -> Answer:
        if "/blobs/" in asked.path:
            return redirect(f"{self.place.there}/hop/{self.name}?n=9")
        if asked.path.startswith("/hop/"):
            left = int(asked.query["n"])
            url = f"/hop/{self.name}?n={left - 1}"
            return redirect(url, 302) if left else self.whole()
        return self.plain(asked)


class OddHeadersThatAreRead(Case):
    """Nor are such bytes in what we do read."""

    def answer(self, asked: Asked) -> Answer:
        if "/manifests/" in asked.path:
            odd = {"WWW-Authenticate": b'Bearer realm="http://\xe9/",service="\xff"'}
            return Answer(401, headers=odd)
        if "/tags/" in asked.path:
            nowhere = b"<http://[x>; rel=next"
            link = nowhere if "n=" in asked.url else b"</v2/\xe9>; rel=next"
            odd = {"Link": link, "ETag": b'"\xff"'}
            return Answer(body=b'{"tags": ["a"]}', headers=odd)
        if asked.path.startswith("/moved"):
            odd = {"Location": b"http://[\xff", "Retry-After": b"\xe9"}
            return Answer(302, headers=odd)
        where = f"/moved/{self.name}/".encode() + b"\xe9 y"
        return Answer(302, headers={"Location": where})

    async def run(self) -> None:
        for path, status in (
            (self.path("manifests/v1"), 502),
            (self.path("tags/list"), 200),
            (self.blob_path, 502),
        ):
            got = await self.get(path)
            self.check((path, got.status), (path, status), got.body)


class RedirectTargetFails(Case):
    """What a storage answers to one blob says nothing of another."""

    def prepare(self) -> None:
        self.bad = [Digest.of(b"bad %d" % number) for number in range(8)]

    def answer(self, asked: Asked) -> Answer:
        if asked.path.startswith("/storage/"):
            return self.whole() if asked.query["d"] == self.digest.hex else Answer(500)
        if "/blobs/" in asked.path:
            where = asked.path.rpartition(":")[2]
            return redirect(f"{self.place.there}/storage/{self.name}?d={where}")
        return self.plain(asked)

    async def run(self) -> None:
        for digest in self.bad:
            got = await self.get(self.path(f"blobs/{digest}"))
            self.check(got.status, 502)
        await self.pull()


class OddHeaders(Case):
    """Header bytes beyond ASCII and lines of 32 kB are none of our business."""

    def answer(self, asked: Asked) -> Answer:
        found = self.plain(asked)
        odd = {"X-Odd": b"caf\xe9 \xff", "Content-Security-Policy": "x" * 32_000}
        return Answer(found.status, found.body, {**found.headers, **odd})


class LongRetryAfter(Case):
    """A wait of a day is told as one of an hour."""

    def answer(self, asked: Asked) -> Answer:
        return Answer(429, headers={"Retry-After": "86400"})

    async def run(self) -> None:
        got = await self.get(self.path("manifests/v1"))
        self.check((got.status, got.header("Retry-After")), (429, "3600"))


CASES = (
    OnePathFails,
    Cookies,
    StorageRefusesOnce,
    StorageRefusesInTheMiddle,
    StorageRefusesAlways,
    RegistryAsStorageLags,
    BasicThenBearer,
    BasicThenBearerInOneLine,
    TokenServiceMoves,
    TokenServiceRefuses,
    TokensNoLongerNeeded,
    TwoRealms,
    TokenServiceHangs,
    TokenOfAnotherKey,
    TokenServiceRedirects,
    VanityHost,
    SignedUrlOnOwnHost,
    UnknownSignatureOnOwnHost,
    NoUserAgent,
    TenRedirects,
    OddHeaders,
    OddHeadersThatAreRead,
    RedirectTargetFails,
    LongRetryAfter,
)
