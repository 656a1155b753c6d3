"""A cache of one upstream: local first, the upstream when it has to be."""
