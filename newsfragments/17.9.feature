Pages for whoever runs it: ``docs/clients.md``, ``docs/cookbook.md`` and
``docs/troubleshooting.md``. Their commands are run by tests, in a sandbox of their own.
