"""A process that has imported Python programs, and becomes one of them when asked.

Most of the CPU time of a start of the daemon, or of a command, is that of its imports.
Here a process does them once, and forks for each start: what is forked has its own
reactor, standard streams, arguments, environment and working directory, and runs what
the program runs.

Run as ``python forkserver.py DESCRIPTOR``, with that of a socket of messages. A request
has three descriptors: of standard output, of standard error, and of where to say the
process identifier and, when it has ended, the status, a line each. The server ends when
the other end of the socket is closed.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import sys
import time
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

#: What runs each program, and what it imports later whatever it is to do.
PROGRAMS = {
    "dxf": ("dxf.main:main",),
    "twistd": (
        "twisted.scripts.twistd:run",
        "txregistry.tap",
        "txregistry.assembly.registry",
        "txregistry.assembly.tracing",
    ),
    "txregistry": (
        "txregistry.cli.main:main",
        "txregistry.cli.collect_offline",
        "txregistry.cli.garbage_collect",
        "txregistry.cli.health",
        "txregistry.cli.reload",
        "txregistry.cli.verify",
        "txregistry.cli.verify_offline",
    ),
}

#: Bytes of a request, most of which are the environment.
REQUEST_BYTES = 200_000


class Request(NamedTuple):
    """What is to run.

    :ivar argv: the program's path, and its arguments.
    """

    argv: list[str]
    env: dict[str, str]
    cwd: str

    @property
    def program(self) -> str:
        """Give the program's name."""
        return Path(self.argv[0]).name


@cache
def load(program: str) -> None:
    """Import what a program imports, for all that are forked from now on."""
    for place in PROGRAMS[program]:
        import_module(place.partition(":")[0])
    # A collection in what is forked would copy each page of it.
    gc.freeze()


def serve(requests: socket.socket) -> tuple[Request, list[int]] | None:
    """Fork for each request.

    :return: in a process that was forked, the request and the descriptors of standard
        output and standard error; ``None`` when nobody asks any more.
    """
    woken, wake = socket.socketpair()
    wake.setblocking(False)
    # Who runs tests in the background ignores these; processes of Twisted do not.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno())
    told: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([requests, woken], [], [])
        if woken in ready:
            woken.recv(4096)
            reap(told)
        if requests not in ready:
            continue
        message, descriptors, _, _ = socket.recv_fds(requests, REQUEST_BYTES, 3)
        if not message:
            reap(told)
            return None
        request = Request(**json.loads(message))
        load(request.program)
        *streams, status = descriptors
        pid = os.fork()
        if not pid:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for end in (requests, woken, wake):
                end.close()
            for descriptor in (status, *told.values()):
                os.close(descriptor)
            return request, streams
        for stream in streams:
            os.close(stream)
        told[pid] = status
        os.write(status, b"%d\n" % pid)


def reap(told: dict[int, int]) -> None:
    """Tell of each that has ended."""
    while told:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        descriptor = told.pop(pid)
        os.write(descriptor, b"%d\n" % status)
        os.close(descriptor)


def become(request: Request, streams: list[int]) -> None:
    """Run a program, where all is as it is where a program begins."""
    os.chdir(request.cwd)
    os.environ.clear()
    os.environ.update(request.env)
    time.tzset()
    sys.argv = request.argv
    sys.path.insert(0, str(Path(request.argv[0]).parent))
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    for number, stream in enumerate(streams, 1):
        os.dup2(stream, number)
        os.close(stream)
    if "twisted.internet.reactor" in sys.modules:
        renew_reactor()
    place, _, name = PROGRAMS[request.program][0].partition(":")
    sys.exit(getattr(import_module(place), name)())


def renew_reactor() -> None:
    """Give it a poller and a pipe of its own, which all that are forked would share."""
    from twisted.internet import reactor

    reactor.waker.connectionLost(None)
    reactor.__init__()


def main() -> None:
    """Serve, and run what was asked for where that is to run."""
    forked = serve(socket.socket(fileno=int(sys.argv[1])))
    if forked is not None:
        become(*forked)


if __name__ == "__main__":
    main()
