"""Redis: a client that does not wait for a server that is away, and what uses one."""
