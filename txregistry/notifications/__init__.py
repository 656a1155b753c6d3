"""Notifications: telling others what happened, once it is safely queued."""
