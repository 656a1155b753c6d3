"""Collection of what nothing refers to any more."""
