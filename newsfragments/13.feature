Upstreams as they are: no path, repository or storage decides for another; challenges,
credentials, kept parts and connections that fail are learnt anew before a client is
refused; HEAD is a hint; manifests are passed on as the upstream has them; upstreams below
a path, in any order of tags, without an API for referrers; ``proxy.stalltimeout``,
``proxy.maxconnections`` and ``proxy.useragent``; ``NO_PROXY`` as Go reads it; durations by
a clock that nobody sets.
