"""Room on the disk of a cache: what is counted, what stays, what goes first."""
