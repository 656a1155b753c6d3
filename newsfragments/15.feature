Guarded: what is remembered of upstreams has budgets in bytes, and a list of referrers that
somebody pushed is read once; streams of HTTP/2 whose client takes nothing hold nothing,
``http.limits.streams``, ``minrate`` and ``uploads`` bound what clients may do; an upload goes on
only by the URL that was given; ``Forwarded`` is believed from ``http.trustedproxies`` only;
TLS 1.2 without CBC and key exchange by RSA; each peer and user has a share of the password
checks, and a damaged line of a password file keeps nobody in or out; a public upstream may
lead to public addresses only (``proxy.trustedtargets``), its heads are bounded, and a blob of
another length than was told is refused; ``proxy.recheck`` asks again whether a repository may
have what is cached; nothing that others choose forges a line of a log; ``http.socketmode``;
links, pipes and devices in the storage directory, aliases in the configuration and endless
answers of redis do no harm. ``docs/security.md`` says what is promised.
Patterns of ``validation.manifests.urls`` take linear time, as in Go; a token's key and chain cost
no more than a moment before they are trusted; lists of tags of an upstream are read in turns and
bounded, as is JSON in its parts.
A stream of HTTP/2 has no more read for it than its connection takes, whatever its windows; many
small frames are taken in turns with others; slow clients share a budget of memory; the clients of
a trusted proxy are told apart, and take turns when the upstream has no place for all.
