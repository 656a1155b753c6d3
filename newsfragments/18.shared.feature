``storage.filesystem.shared: true``: several processes or machines use one storage directory; what
one does the others see at once, Docker's registry beside them. ``http.reuseport: true`` lets them
listen on one port, and ``txregistry@1``, ``txregistry@2`` start them. ``storage.statedirectory`` is for
the files of one process. Downloads of a cache whose storage cannot grow a file, as object stores,
lie in a local directory until they are verified.
