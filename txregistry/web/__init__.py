"""HTTP: the registry API over any namespace."""
