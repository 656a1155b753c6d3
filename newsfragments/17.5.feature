``txregistry verify`` reads all that is stored, in the daemon or without one, at
``--limit-rate``: content that the disk has damaged is set aside, and fetched again by a cache;
links to content that is missing are named. ``storage.maintenance.scrub`` does the same by
itself at a bounded rate, past the page cache, and resumes after a restart;
``registry_scrub_…`` metrics tell of it. ``docs/backup.md`` says how to back a registry up
while it takes pushes.
