"""Bytes on their way to a place in the store: uploads and partial blobs."""
