"""Check the files of an access controller before it is created."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pkgutil import resolve_name

#: The parser of each file, by controller and parameter; imported for what is named, see
#: Note [Named, then imported] in ``flow/offered``.
_FILES: Mapping[str, Mapping[str, str]] = {
    "htpasswd": {"path": "txregistry.auth.passwords:parse_entries"},
    "token": {
        "rootcertbundle": "txregistry.auth.key_files:keys_of_bundle",
        "jwks": "txregistry.auth.key_files:keys_of_set",
    },
}


def file_problems(name: str, parameters: Mapping[str, object]) -> list[str]:
    """Return the problems with which creating the controller would fail.

    Nothing is created or changed.

    :return: a line for each, which begins with the parameter's name.
    """
    problems = []
    for parameter, parse in _FILES.get(name, {}).items():
        path = str(parameters.get(parameter) or "")
        if path:
            # A missing password file is created at the start.
            is_created = name == "htpasswd" and not os.path.exists(path)
            reason = (
                _creation_problem(path)
                if is_created
                else _read_problem(path, resolve_name(parse))
            )
            problems += [f"{parameter}: {reason}"] if reason else []
    return problems


def _read_problem(path: str, parse: Callable[[bytes], object]) -> str:
    try:
        with open(path, "rb") as file:
            parse(file.read())
    except OSError as error:
        return f"cannot be read: {path}: {error.strerror}"
    except ValueError as error:
        return f"cannot be used: {path}: {error}"
    return ""


def _creation_problem(path: str) -> str:
    directory = nearest_existing(os.path.dirname(os.path.abspath(path)))
    if os.path.islink(path):
        return f"cannot be made: {path} is a link to nothing"
    if not os.path.isdir(directory):
        return f"cannot be made: {directory} is no directory"
    if not os.access(directory, os.W_OK | os.X_OK):
        return f"cannot be made: {directory} cannot be written to"
    return ""


def nearest_existing(path: str) -> str:
    """Return the absolute path, or its nearest ancestor that exists."""
    found = os.path.abspath(path)
    while not os.path.exists(found):
        found = os.path.dirname(found)
    return found
