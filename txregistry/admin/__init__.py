"""Administration of a running daemon, by a socket that only its user can open."""
