"""Caches of what repositories hold, in memory or in redis."""
