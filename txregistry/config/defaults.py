"""The configuration without a file: a cache of Docker Hub."""

from __future__ import annotations

from collections.abc import Mapping

#: The mapping that stands in for a file; the defaults of the model do the rest.
EMBEDDED: Mapping[str, object] = {
    "version": "0.1",
    "storage": {
        "filesystem": {"rootdirectory": "/var/lib/registry"},
        "cache": {"blobdescriptor": "inmemory"},
    },
    "http": {"addr": "127.0.0.1:5000", "debug": {"addr": ""}},
    "proxy": {"remoteurl": "https://registry-1.docker.io"},
}
