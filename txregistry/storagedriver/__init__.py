"""Storage drivers: files under slash-separated paths, wherever they really are."""
