"""Paragraphs that the manual pages and ``docs/configuration.md`` share."""

from __future__ import annotations


def _paragraphs(text: str) -> tuple[str, ...]:
    """Give paragraphs, which empty lines divide, each in one line."""
    return tuple(" ".join(part.split()) for part in text.strip().split("\n\n"))


FORMAT = _paragraphs("""
The configuration is a file of YAML in the format of Docker distribution 2.1 to 3.1;
files made for it are taken as they are. Keys that distribution has and that have no
effect here are told at a start, each with the reason, as are keys that are unknown.

A duration is 10s, 1h30m, 7d or 2w; a bare whole number counts nanoseconds, as in Go.
A key without a value, or with an empty one, has its default. In the names of keys []
stands for each item of a list.

A file has 256 Ki characters at most, and comes to 20,000 values, 64 in one another,
with its aliases followed.

txregistry config check FILE finds all problems at once, txregistry config show FILE
prints what is in force, and txregistry config explain KEY tells of one key.
""")

VARIABLES = _paragraphs("""
Any key can be overridden by a variable: REGISTRY_ and the path of the key in upper
case, with underscores for dots, and the position for the item of a list. The value is
YAML. REGISTRY_STORAGE=filesystem replaces the whole section;
REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY sets one parameter of it. A variable that
names no key is told and changes nothing.

REGISTRY_CONFIGURATION_PATH names the file where no argument does.
""")

SECRETS = _paragraphs("""
A secret need not stand in the configuration. With file after its name a key names a
file whose text is the value, but for one newline at its end: passwordfile for
password. headersfile has the name of a file for each header. A variable with _FILE
after its name does the same. A value and a file of it exclude one another. A file
that is missing or empty is a problem; one that all users may read is used, with a
warning.

In such paths, and in those of certificates, keys and password files,
${CREDENTIALS_DIRECTORY} is the directory in which systemd gives a service what its
unit names with LoadCredential=. Only the service has it: other commands say what they
did not look at.
""")

CREDENTIALS_EXAMPLE = """\
# a drop-in of the unit
[Service]
LoadCredential=hub:/etc/txregistry/hub.password

# the configuration
proxy:
  username: me
  passwordfile: ${CREDENTIALS_DIRECTORY}/hub"""
