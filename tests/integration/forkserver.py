"""A process that has imported the daemon, and becomes ``twistd`` when asked.

Most of the CPU time of a start of the daemon is that of its imports. Here a process
does them once, and forks for each start: what is forked has its own reactor, standard
streams, arguments, environment and working directory, and runs what the command runs.

Run as ``python forkserver.py DESCRIPTOR``, with that of a socket of messages. A request
has two descriptors: where output goes, and where to say the process identifier and,
when it has ended, the status, a line each. It ends when the other end of the socket is
closed.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path

#: Bytes of a request, most of which are the environment.
REQUEST_BYTES = 200_000


def load() -> None:
    """Import all that a daemon imports when its configuration asks for nothing more."""
    from twisted.application.service import IServiceMaker
    from twisted.plugin import getPlugins

    list(getPlugins(IServiceMaker))


def serve(requests: socket.socket) -> int | None:
    """Fork for each request.

    :return: where the output goes, in a process that was forked; ``None`` when nobody
        asks any more.
    """
    woken, wake = socket.socketpair()
    wake.setblocking(False)
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
        request, descriptors, _, _ = socket.recv_fds(requests, REQUEST_BYTES, 2)
        if not request:
            reap(told)
            return None
        output, told_to = descriptors
        pid = os.fork()
        if not pid:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for end in (requests, woken, wake):
                end.close()
            for descriptor in (told_to, *told.values()):
                os.close(descriptor)
            prepare(**json.loads(request))
            return output
        os.close(output)
        told[pid] = told_to
        os.write(told_to, b"%d\n" % pid)


def reap(told: dict[int, int]) -> None:
    """Tell of each that has ended."""
    while told:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        descriptor = told.pop(pid)
        os.write(descriptor, b"%d\n" % status)
        os.close(descriptor)


def prepare(argv: list[str], env: dict[str, str], cwd: str) -> None:
    """Set what a new program finds."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    sys.argv = argv
    sys.path.insert(0, str(Path(argv[0]).parent))


def become_twistd(output: int) -> None:
    """Run ``twistd``, with what it says going to a descriptor."""
    from twisted.internet import reactor
    from twisted.scripts.twistd import run

    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    # The parent's has a pipe and a poller, which all that were forked would share.
    reactor.waker.connectionLost(None)
    reactor.__init__()
    run()


def main() -> None:
    """Load, serve, and run what was asked for where that is to run."""
    requests = socket.socket(fileno=int(sys.argv[1]))
    load()
    output = serve(requests)
    if output is not None:
        become_twistd(output)


if __name__ == "__main__":
    main()
