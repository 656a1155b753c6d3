``txregistry health``, ``reload`` and ``config`` take a sixth of the processor time that they
took, and ``--version`` a twentieth: a command imports what it needs, as does a daemon, in
which a registry without an upstream imports no client of one. ``health``, and work that a
daemon does, no longer look at the files that the configuration names.
