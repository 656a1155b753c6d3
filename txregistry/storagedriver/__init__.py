"""Storage drivers: files under slash-separated paths, on any kind of storage."""
