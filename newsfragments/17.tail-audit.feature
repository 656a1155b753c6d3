The audit trail says which user and process asked for a collection, a verification or a reload, also
without a daemon, each tag of a push by digest, and refused reloads. A reload opens files of logs
again, so that logrotate needs no `copytruncate`.
