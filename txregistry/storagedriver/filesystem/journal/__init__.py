"""Changes that are written down before they are made."""
