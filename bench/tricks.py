"""What each thing that is done for speed alone is worth.

For each there is a daemon in which the plain way takes its place, beside one as it is.
valgrind counts the instructions of a GET and of a push, which are the same on a busy
machine; what the kernel does for us is not in them, so ``--cpu`` takes turns with
daemons at full speed and compares their CPU time, that of a push of 16 MiB as well.
That wants an idle machine.

Gives a figure for a request, and by how much the plain way costs more, in per cent.
What is worth less than five is not worth its lines (see ``docs/decisions``).

Usage: ``python bench/tricks.py [--cpu] [NAME ...]``.
"""

from __future__ import annotations

import argparse
import ast
import functools
import hashlib
import http.client
import inspect
import os
import statistics
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from peers import MIB, Server

#: Requests that are measured together, after as many that warm up.
GETS, PUSHES = 200, 40
ROUNDS = 15

CALLGRIND = ("valgrind", "--tool=callgrind", "--instr-atstart=no", "--quiet")


def replace(owner: Any, name: str, plain: Any) -> None:
    """Put the plain way in the place of a name, which has to be there."""
    getattr(owner, name)
    setattr(owner, name, plain)


def plain_coroutines() -> None:
    from twisted.internet.defer import Deferred

    import txregistry.speed.coroutines as module

    replace(module, "start", Deferred.fromCoroutine)


def plain_failures() -> None:
    from twisted.internet.defer import fail

    import txregistry.speed.failures as module

    replace(module, "failed", fail)


def plain_routes() -> None:
    import txregistry.web.router as module

    replace(module, "CACHED_PATHS", 0)


def plain_repositories() -> None:
    import txregistry.storage.namespace as module

    replace(module, "COMPOSED_REPOSITORIES", 0)


def plain_labels() -> None:
    from txregistry.observe.exchanges import ExchangeMetrics

    found = ExchangeMetrics._children

    def children(self: Any, *key: Any) -> Any:
        self._known.clear()
        return found(self, *key)

    replace(ExchangeMetrics, "_children", children)


def plain_malloc() -> None:
    import txregistry.speed.memory as module

    replace(module, "keep_buffers", lambda: None)


def plain_collector() -> None:
    import txregistry.speed.memory as module

    replace(module, "tune_gc", lambda: None)


def without(owner: Any, name: str, *conditions: str) -> None:
    """Compile a method anew without what it does under some conditions."""
    method = getattr(owner, name)
    tree = ast.parse(textwrap.dedent(inspect.getsource(method)))
    body = tree.body[0].body  # type: ignore[attr-defined]
    kept = [
        node
        for node in body
        if not isinstance(node, ast.If) or ast.unparse(node.test) not in conditions
    ]
    assert len(body) - len(kept) == len(conditions), name
    tree.body[0].body = kept  # type: ignore[attr-defined]
    found: dict[str, Any] = {}
    exec(compile(tree, name, "exec"), method.__globals__, found)
    setattr(owner, name, found[name])


def plain_tracing() -> None:
    """No plain way, but none at all: what it costs while it is off."""
    from txregistry.web.http.request import RegistryRequest
    from txregistry.web.http.site import RegistrySite

    without(RegistryRequest, "process", "site.tracer is not None")
    without(RegistryRequest, "run_in_context", "self.span is not None")
    without(RegistrySite, "request_ended", "request.span is not None")


PLAIN = {
    name.removeprefix("plain_"): function
    for name, function in list(globals().items())
    if name.startswith("plain_")
}


def serve(name: str) -> None:
    """Be a daemon in which one thing is done in the plain way."""
    if name in PLAIN:
        PLAIN[name]()
    from twisted.scripts.twistd import run

    run()


def push(server: Server, data: bytes) -> str:
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    path = f"/v2/a/b/blobs/uploads/?digest={digest}"
    status, _, _ = server.ask("POST", path, data)
    assert status == 201, status
    return digest


def push_new(server: Server) -> None:
    push(server, os.urandom(2000))


Work = Callable[[], object]


def getting(server: Server, digest: str) -> Work:
    """Give what asks for a blob, over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)

    def get() -> None:
        connection.request("GET", f"/v2/a/b/blobs/{digest}")
        connection.getresponse().read()

    return get


def start(directory: Path, name: str, before: Sequence[str] = ()) -> Server:
    command = [*before, sys.executable, __file__, "--serve", name]
    return Server(directory, name or "as-it-is", True, start=command)


def instructions(server: Server, directory: Path, times: int, work: Work) -> float:
    """Count the instructions of doing something so often, by valgrind."""
    found = directory / f"callgrind.out.{server.process.pid}"
    for _ in range(times):
        work()
    control(server, "--instr=on")
    for _ in range(times):
        work()
    control(server, "--dump", "--instr=off")
    newest = max(
        directory.glob(f"{found.name}*"), key=lambda path: path.stat().st_mtime
    )
    line = next(
        line
        for line in newest.read_text().splitlines()
        if line.startswith(("summary:", "totals:"))
    )
    control(server, "--zero")
    return int(line.split()[1]) / times


def control(server: Server, *what: str) -> None:
    pid = str(server.process.pid)
    for one in what:
        subprocess.run(["callgrind_control", one, pid], check=True, capture_output=True)


def count(directory: Path, name: str) -> list[float]:
    """Count the instructions of a GET and of a push, with one thing done plainly."""
    server = start(directory, name, CALLGRIND)
    try:
        get = getting(server, push(server, b"a" * 20_000))
        return [
            instructions(server, directory, GETS, get),
            instructions(server, directory, PUSHES, lambda: push_new(server)),
        ]
    finally:
        server.stop()


def cpu_of(server: Server, times: int, work: Work) -> float:
    before = server.cpu()
    for _ in range(times):
        work()
    return (server.cpu() - before) / times * 1e6


def time(directory: Path, names: Sequence[str]) -> dict[str, list[list[float]]]:
    """Measure the CPU of a GET, a push and a large push in microseconds, in turns."""
    servers = {name: start(directory, name) for name in names}
    found: dict[str, list[list[float]]] = {name: [[], [], []] for name in names}
    try:
        gets = {
            name: getting(server, push(server, b"a" * 20_000))
            for name, server in servers.items()
        }
        for number in range(ROUNDS):
            large = number.to_bytes(16, "big") * MIB
            for name, server in servers.items():
                gets_cpu, pushes_cpu, large_cpu = found[name]
                gets_cpu.append(cpu_of(server, GETS, gets[name]))
                work = functools.partial(push_new, server)
                pushes_cpu.append(cpu_of(server, PUSHES, work))
                work = functools.partial(push, server, large)
                large_cpu.append(cpu_of(server, 1, work))
    finally:
        for server in servers.values():
            server.stop()
    return found


def show(name: str, base: list[list[float]], plain: list[list[float]]) -> None:
    texts = [row(*pair) for pair in zip(base, plain, strict=True)]
    print(f"{name or 'as it is':16}", *texts, flush=True)


def row(base: list[float], plain: list[float]) -> str:
    more = statistics.median(b / a for a, b in zip(base, plain, strict=True)) - 1
    return f"{statistics.median(plain):12.0f} {more * 100:+6.1f}%"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("names", nargs="*", default=list(PLAIN))
    given = parser.parse_args()
    names = ["", *given.names]
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        if given.cpu:
            found = time(directory, names)
            for name in names:
                show(name, found[""], found[name])
            return
        base = [[counted] for counted in count(directory, "")]
        for name in names:
            plain = [[counted] for counted in count(directory, name)] if name else base
            show(name, base, plain)


if __name__ == "__main__":
    if "--serve" in sys.argv:
        at = sys.argv.index("--serve")
        chosen = sys.argv.pop(at + 1)
        del sys.argv[at]
        serve(chosen)
    else:
        main()
