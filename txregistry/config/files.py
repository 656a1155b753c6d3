"""Keys that name a file with the value of another key, and paths of credentials (pure).

``passwordfile`` stands for ``password``, and so on for each key that is declared to be
in a file; ``headersfile`` has such a path for each header. Paths of files may have
``${CREDENTIALS_DIRECTORY}`` in them: there a unit with ``LoadCredential=`` finds its
secrets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args, get_origin, get_type_hints

import attrs

from txregistry.config.access import CONTROLLERS, Auth
from txregistry.config.declare import Declared, declared
from txregistry.config.fields import TWIN, Scalar, is_empty, kind_of
from txregistry.config.middleware import SHIPPED, MiddlewareItem, StorageItem
from txregistry.config.model import Config
from txregistry.config.storage import NAMED_DRIVERS, Storage, is_driver

CREDENTIALS = "CREDENTIALS_DIRECTORY"
_REFERENCE = f"${{{CREDENTIALS}}}"

#: Ends of the names of parameters that may be in files, of drivers and controllers that
#: no model declares; not just ``key``, as ``keyfile`` is often a parameter itself.
_ENDS = ("password", "secret", "secretkey", "accesskey", "accountkey")

#: Stands for the URL of a service that is in a file which was not read.
_UNREAD_URL = "http://unread.invalid/"


class NoCredentials(ValueError):
    """A path refers to the directory of credentials, and there is none."""


@attrs.frozen
class FileText:
    """What is in a file.

    :ivar is_open: all users of the machine may read it.
    """

    text: str
    is_open: bool = False


@attrs.define
class Filled:
    """A mapping with values in place of names of files.

    :ivar sources: the key that named the file, by the key that has the value.
    :ivar skipped: keys of files that were not looked for, as this is not the service.
    """

    mapping: Mapping[str, object]
    problems: list[str] = attrs.field(factory=list)
    warnings: list[str] = attrs.field(factory=list)
    sources: dict[str, str] = attrs.field(factory=dict)
    skipped: list[str] = attrs.field(factory=list)


@attrs.frozen
class Files:
    """How named files are read.

    :ivar read: gives the content of a file; raises ``OSError`` or ``ValueError``.
    :ivar environment: variables of the process.
    :ivar is_service: what systemd provides for the service has to be there.
    """

    read: Callable[[str], FileText]
    environment: Mapping[str, str]
    is_service: bool = True

    def fill(self, mapping: Mapping[str, object]) -> Filled:
        """Put in the values that are in files."""
        result = Filled(mapping)
        result.mapping = _Filling(self, result).section(Config, mapping, "")
        return result


def expand(path: str, environment: Mapping[str, str]) -> str:
    """Give a path with the directory of credentials put in.

    :raise NoCredentials: there is none.
    """
    if _REFERENCE not in path:
        return path
    directory = environment.get(CREDENTIALS)
    if not directory:
        raise NoCredentials(
            f"{_REFERENCE} is set by systemd only, for a unit with LoadCredential="
        )
    return path.replace(_REFERENCE, directory)


def is_twin(name: str) -> bool:
    """Tell if a parameter that no model declares names a file with a secret."""
    base = name.lower().removesuffix(TWIN)
    return base != name.lower() and base.endswith(_ENDS)


@attrs.frozen
class _Filling:
    """One walk through a mapping."""

    _files: Files
    _result: Filled

    def section(self, cls: type[Any], value: Any, path: str) -> Any:
        """Fill a section of the model."""
        if not isinstance(value, Mapping):
            return value
        filled, hints = dict(value), get_type_hints(cls)
        for field in attrs.fields(cls):
            inner = f"{path}.{field.name}" if path else field.name
            if declared(field).in_file:
                self._twin(filled, declared(field), field.name, inner)
            if field.name in filled:
                found = filled[field.name]
                filled[field.name] = self._value(field, hints[field.name], found, inner)
        if issubclass(cls, MiddlewareItem) and "options" in filled:
            filled["options"] = self._options(cls, filled, f"{path}.options")
        return filled

    def _options(self, cls: type[Any], item: Mapping[str, Any], path: str) -> Any:
        """Fill the options of a middleware, of our own or of a package."""
        name = item.get("name")
        ours = SHIPPED.get(name) if isinstance(name, str) else None
        if cls is StorageItem and ours is not None:
            return self.section(ours, item["options"], path)
        return self._parameters(item["options"], path)

    def _value(self, field: Any, hint: Any, value: Any, path: str) -> Any:
        if declared(field).is_path:
            return self._paths(value, path)
        if hint is Storage:
            return self._storage(value, path)
        if hint is Auth:
            return self._offered(value, path, CONTROLLERS)
        if attrs.has(hint):
            return self.section(hint, value, path)
        if get_origin(hint) is tuple and isinstance(value, list):
            cls = get_args(hint)[0]
            if attrs.has(cls):
                return [
                    self.section(cls, item, f"{path}[{index}]")
                    for index, item in enumerate(value)
                ]
        if declared(field).like and isinstance(value, Mapping):
            cls = get_args(hint)[1]
            return {
                name: self.section(cls, item, f"{path}.{name}")
                for name, item in value.items()
            }
        return value

    def _storage(self, value: Any, path: str) -> Any:
        if not isinstance(value, Mapping):
            return value
        drivers = {name: item for name, item in value.items() if is_driver(name)}
        found = self.section(Storage, value, path)
        return {**found, **self._offered(drivers, path, NAMED_DRIVERS)}

    def _offered(self, value: Any, path: str, known: Mapping[str, type[Any]]) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {
            name: self.section(known[name], item, f"{path}.{name}")
            if name in known
            else self._parameters(item, f"{path}.{name}")
            for name, item in value.items()
        }

    def _parameters(self, value: Any, path: str) -> Any:
        """Fill the parameters of a package's driver or controller, at all levels."""
        if not isinstance(value, Mapping):
            return value
        filled: dict[str, Any] = dict(value)
        for name in value:
            if is_twin(name):
                base = name[: -len(TWIN)]
                self._twin(filled, Declared(), base, f"{path}.{base}", name)
            else:
                filled[name] = self._parameters(value[name], f"{path}.{name}")
        return filled

    def _twin(
        self,
        section: dict[str, Any],
        known: Declared,
        name: str,
        path: str,
        twin: str = "",
    ) -> None:
        """Replace the name of a file by what is in it."""
        named = section.pop(twin or name + TWIN, None)
        if is_empty(named):
            return
        told = path + TWIN
        if isinstance(named, Mapping):
            self._entries(section, name, named, path)
        elif not is_empty(section.get(name)):
            self._result.problems.append(f"{told}: excludes {path}")
        else:
            text = self._text(named, told)
            missing = _UNREAD_URL if known.is_url else ""
            section[name] = missing if text is None else text
            self._result.sources[path] = told

    def _entries(
        self, section: dict[str, Any], name: str, named: Mapping[str, Any], path: str
    ) -> None:
        """Put in headers that are in files, beside those that are not."""
        own = section.get(name) or {}
        if not isinstance(own, Mapping):
            return  # the reader tells
        there = {str(entry).lower() for entry in own}
        for entry, file in named.items():
            inner = f"{path}.{entry}"
            if entry.lower() in there:
                self._result.problems.append(f"{path}{TWIN}.{entry}: excludes {inner}")
                continue
            text = self._text(file, f"{path}{TWIN}.{entry}")
            own = {**own, entry: [text or ""]}
            self._result.sources[inner] = f"{path}{TWIN}.{entry}"
        section[name] = own

    def _text(self, named: object, told: str) -> str | None:
        """Give the text of a file; none if it was not read."""
        path = self._expanded(named, told)
        if path is None:
            return None
        try:
            found = self._files.read(path)
        except OSError as error:
            self._result.problems.append(
                f"{told}: cannot be read: {path}: {error.strerror}"
            )
            return None
        except ValueError as error:
            self._result.problems.append(f"{told}: cannot be read: {path}: {error}")
            return None
        text = found.text.removesuffix("\n").removesuffix("\r")
        if not text:
            self._result.problems.append(f"{told}: is empty: {path}")
        if found.is_open:
            self._result.warnings.append(f"{told}: all users may read it: {path}")
        return text

    def _paths(self, value: Any, path: str) -> Any:
        if isinstance(value, list):
            return [
                self._paths(item, f"{path}[{index}]")
                for index, item in enumerate(value)
            ]
        if not isinstance(value, str):
            return value
        return self._expanded(value, path) or value

    def _expanded(self, value: object, told: str) -> str | None:
        """Give a path; none if it is none, or is known to the service only."""
        text = value.text if isinstance(value, Scalar) else value
        if not isinstance(text, str):
            self._result.problems.append(
                f"{told}: expected text, found {kind_of(text)}"
            )
            return None
        try:
            return expand(text, self._files.environment)
        except NoCredentials as error:
            if self._files.is_service:
                self._result.problems.append(f"{told}: {error}")
            else:
                self._result.warnings.append(f"{told}: is not looked at: {error}")
            self._result.skipped.append(told)
            return None
