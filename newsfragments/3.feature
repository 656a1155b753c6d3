A complete registry: streamed and resumable uploads, mounts, manifests of every kind,
referrers, deletes, schema 1 signatures, notifications, htpasswd and token
authentication, TLS that reads its certificates again, HTTP/2, health checks, descriptors
in a shared redis, and ``txregistry garbage-collect``, which collects while the daemon
goes on serving.
