Sound on damaged, full and shared disks: content that was damaged is found, set aside under
``txregistry/damaged/`` and fetched anew, and a directory that was copied is verified as it
is used; a disk that is full to the last byte serves all that is there; directories of file
systems and file servers are passed over; files of names and uses are private. A cold blob
is given as soon as its digest agrees, with half the CPU. All problems of a configuration
are told together, in plain words and with the variable they come from; whole numbers are
nanoseconds, ``7d`` and ``2w`` are durations, empty sections are absent,
``REGISTRY_…_FILE`` reads a secret from a file, what names no key changes nothing, and
``--check`` refuses what a start would. HTTP/2 requests are answered however they end;
``application/json`` manifests are read; ``Range: bytes=500-0`` is 416;
``X-Content-Type-Options: nosniff``; ``Cache-Status`` on lists, 404 and 502; metrics of the
descriptor cache; 499 for clients that left; a page of the catalogue is clamped unless
``catalog.strict``; users and passwords in URLs of notifications are sent as Basic.
