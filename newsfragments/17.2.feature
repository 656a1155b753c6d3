SIGHUP and ``txregistry reload`` reload the configuration without dropping a connection or a
download: certificates, passwords, log, time limits, upstream, policies and limits. Keys that
need a restart are logged; a configuration with problems changes nothing (docs/reload.md).
