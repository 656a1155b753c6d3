The configuration explains itself: one table of all keys is behind the reader, ``txregistry
config check``, ``show`` (with where each value comes from), ``schema`` (for editors),
``explain`` and ``man``, and ``docs/configuration.md``. Each secret may be in a file that a
key names (``passwordfile``, ``secretfile``, ``headersfile``, …), below
``${CREDENTIALS_DIRECTORY}`` as well; parameters of drivers and access controllers are
checked before a start. Manual pages, completion for bash, zsh and fish, exit codes and
``--json`` for all commands.
