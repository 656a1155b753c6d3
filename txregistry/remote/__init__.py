"""One upstream registry, as a namespace over HTTP."""
