"""Each part of the daemon, built from the configuration."""
