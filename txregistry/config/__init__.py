"""The configuration: from a mapping to a frozen value, with all errors at once."""
