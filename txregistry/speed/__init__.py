"""What is done for speed alone, with what each saves against the plain way.

``bench/tricks.py`` measures it: shares of the instructions outside the kernel, counted
by valgrind, of a GET of 20 kB that is cached and of a push of 2 kB.

- ``coroutines``: 7.1% of a GET, 6.5% of a push.
- ``failures``: nothing of either. What an error holds is freed at once, not by the
  collector: a matter of memory.
- ``memory``: pages that the kernel clears (20 to 40% of the CPU of a push of 16 MiB),
  and full scans of the collector, which take no CPU that could be measured but stop all
  clients for 50 to 200 ms each.

Two caches lie where they are used: of routes by path in ``web/router`` (14% of a GET,
2% of a push) and of repositories in ``storage/namespace`` (3.8% and 7.8%).

What saves less than a twentieth is not worth its lines, and went: see
``docs/decisions/2026-11-28-speed-by-figures.md``.
"""
