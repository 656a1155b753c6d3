"""Paragraphs that the manual pages and ``docs/configuration.md`` share."""

from __future__ import annotations


def _paragraphs(text: str) -> tuple[str, ...]:
    """Give paragraphs, which empty lines divide, each in one line."""
    return tuple(" ".join(part.split()) for part in text.strip().split("\n\n"))


FORMAT = _paragraphs("""
The configuration is a YAML file in the format of Docker distribution 2.1 to 3.1; files
written for it work unchanged. Unknown keys, and keys of distribution that have no
effect here, are logged as warnings at the start.

A duration is written as 10s, 1h30m, 7d or 2w; a bare whole number counts nanoseconds,
as in Go. A key without a value, or with an empty one, has its default. In the names of
keys [] stands for each item of a list.

A file has at most 256 Ki characters, 20,000 values and 64 levels of nesting, with its
aliases expanded.

txregistry config check FILE reports all problems at once, txregistry config show FILE
prints the effective values, and txregistry config explain KEY describes one key.
""")

VARIABLES = _paragraphs("""
Environment variables override keys. The name is REGISTRY_ and the path of the key in
upper case, with underscores instead of dots, and with the position for an item of a
list. The value is YAML. REGISTRY_STORAGE=filesystem replaces the whole section,
REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY sets one parameter. A variable that matches no
key causes a warning and is ignored.

REGISTRY_CONFIGURATION_PATH names the file if no argument does.
""")

SECRETS = _paragraphs("""
Secrets can be kept in files of their own. A key whose name ends in file names a file
that contains the value, except for one newline at its end: passwordfile for password.
headersfile has the name of a file for each header. An environment variable with _FILE
after its name does the same. A value and its file exclude each other. A missing or
empty file is an error; a file that all users may read causes a warning.

In these paths, and in those of certificates, keys and password files,
${CREDENTIALS_DIRECTORY} stands for the directory in which systemd provides the
credentials that the unit lists as LoadCredential=. Only the service has it: other
commands report what they did not look at.
""")

CREDENTIALS_EXAMPLE = """\
# a drop-in of the unit
[Service]
LoadCredential=hub:/etc/txregistry/hub.password

# the configuration
proxy:
  username: me
  passwordfile: ${CREDENTIALS_DIRECTORY}/hub"""
