"""HTTP: connections, requests and bodies, whatever they are about."""
