"""Notifications: events are queued durably, then posted to endpoints."""
