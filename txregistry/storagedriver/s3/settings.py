"""What ``storage.s3`` says, as one value."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import attrs

#: Amazon takes no smaller part, but for the last one of a file.
MIN_PART_BYTES = 5 * 1024 * 1024

#: A file has at most this many parts.
MAX_PARTS = 10_000

#: Amazon copies no more at once.
MAX_COPY_BYTES = 5 * 1024 * 1024 * 1024

#: Told where the driver is configured, and what it is made with is not installed.
WITHOUT_BOTOCORE = (
    "storage.s3: the package botocore is missing: install txregistry[s3], or"
    " python3-botocore"
)

_MIB = 1024 * 1024
_UNITS = {"": 1, "k": 1024, "m": _MIB, "g": 1024 * _MIB}
_SIZE = re.compile(r"([0-9]+) ?([kmg]?)(?:i?b)?", re.ASCII | re.IGNORECASE)


def _flag(value: object) -> bool:
    text = str(value).strip().lower()
    if text not in ("true", "false"):
        raise ValueError("expected true or false")
    return text == "true"


def _count(value: object) -> int:
    found = _SIZE.fullmatch(str(value).strip())
    if found is None or isinstance(value, bool):
        raise ValueError("expected a number")
    return int(found[1]) * _UNITS[found[2].lower()]


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _key(default: Any, convert: Callable[[object], Any]) -> Any:
    return attrs.field(default=default, converter=convert)


@attrs.frozen(kw_only=True)
class S3Settings:
    """The keys of the section, which ``config/storage`` tells about.

    :raise ValueError: a value cannot be used; the message begins with its key.
    """

    bucket: str = _key("", _text)
    region: str = _key("", _text)
    accesskey: str = attrs.field(default="", converter=_text, repr=False)
    secretkey: str = attrs.field(default="", converter=_text, repr=False)
    sessiontoken: str = attrs.field(default="", converter=_text, repr=False)
    regionendpoint: str = _key("", _text)
    redirectendpoint: str = _key("", _text)
    forcepathstyle: bool | None = attrs.field(
        default=None, converter=attrs.converters.optional(_flag)
    )
    accelerate: bool = _key(False, _flag)
    usedualstack: bool = _key(False, _flag)
    usefipsendpoint: bool = _key(False, _flag)
    secure: bool = _key(True, _flag)
    skipverify: bool = _key(False, _flag)
    v4auth: bool = _key(True, _flag)
    encrypt: bool = _key(False, _flag)
    keyid: str = _key("", _text)
    chunksize: int = _key(10 * _MIB, _count)
    multipartcopychunksize: int = _key(32 * _MIB, _count)
    multipartcopymaxconcurrency: int = _key(100, _count)
    multipartcopythresholdsize: int = _key(32 * _MIB, _count)
    rootdirectory: str = _key("", _text)
    storageclass: str = _key("STANDARD", _text)
    objectacl: str = _key("private", _text)
    useragent: str = _key("", _text)
    loglevel: str = _key("off", _text)

    def __attrs_post_init__(self) -> None:
        self._check_keys()
        if self.accelerate and self.regionendpoint:
            raise ValueError("accelerate: excludes regionendpoint")
        _check_url("regionendpoint", self.regionendpoint)
        _check_url("redirectendpoint", self.redirectendpoint)
        self._check_sizes()

    def _check_keys(self) -> None:
        if not self.bucket:
            raise ValueError("bucket: is missing")
        if not self.region:
            raise ValueError("region: is missing; most other servers take any name")
        if bool(self.accesskey) != bool(self.secretkey):
            raise ValueError("accesskey: goes together with secretkey")
        if not self.v4auth:
            raise ValueError("v4auth: only version 4 of signatures is spoken")
        if self.keyid and not self.encrypt:
            raise ValueError("keyid: is of use with encrypt alone")

    def _check_sizes(self) -> None:
        for name in ("chunksize", "multipartcopychunksize"):
            if not MIN_PART_BYTES <= getattr(self, name) <= MAX_COPY_BYTES:
                raise ValueError(f"{name}: expected from 5 MiB to 5 GiB")
        if self.multipartcopythresholdsize > MAX_COPY_BYTES:
            raise ValueError("multipartcopythresholdsize: expected at most 5 GiB")
        if self.multipartcopymaxconcurrency < 1:
            raise ValueError("multipartcopymaxconcurrency: expected 1 or more")

    @property
    def is_path_style(self) -> bool:
        """Tell if the bucket's name stands in the path, not in the host's name."""
        if self.forcepathstyle is None:
            return bool(self.regionendpoint)
        return self.forcepathstyle

    @property
    def object_headers(self) -> dict[str, str]:
        """Give the headers with which an object is made."""
        headers = {}
        if self.encrypt:
            kind = "aws:kms" if self.keyid else "AES256"
            headers["x-amz-server-side-encryption"] = kind
        if self.keyid:
            headers["x-amz-server-side-encryption-aws-kms-key-id"] = self.keyid
        if self.storageclass and self.storageclass != "NONE":
            headers["x-amz-storage-class"] = self.storageclass
        if self.objectacl:
            headers["x-amz-acl"] = self.objectacl
        return headers


def _check_url(name: str, url: str) -> None:
    # A host alone is permitted; the scheme is then that of ``secure``.
    parts = urlsplit(url if "://" in url else f"https://{url}")
    if url and (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.path.strip("/")
        or parts.query
        or parts.fragment
        or "@" in parts.netloc
    ):
        raise ValueError(f"{name}: expected scheme and host only")


def read_settings(parameters: Mapping[str, object]) -> S3Settings:
    """Read the section as it stands in the file.

    :raise ValueError: a key is unknown, or a value cannot be used; the message begins
        with ``storage.s3``.
    """
    known = {field.name for field in attrs.fields(S3Settings)} | {"maxthreads"}
    unknown = sorted(set(parameters) - known)
    if unknown:
        raise ValueError(f"storage.s3.{unknown[0]}: is not known")
    given: dict[str, Any] = {
        name: value
        for name, value in parameters.items()
        if value is not None and name != "maxthreads"
    }
    for name, value in given.items():
        try:
            getattr(attrs.fields(S3Settings), name).converter(value)
        except ValueError as error:
            raise ValueError(f"storage.s3.{name}: {error}") from error
    try:
        return S3Settings(**given)
    except ValueError as error:
        raise ValueError(f"storage.s3.{error}") from error
