"""Collection of content that nothing refers to."""
