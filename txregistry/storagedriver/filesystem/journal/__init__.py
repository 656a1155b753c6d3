"""A journal: changes are recorded before they are made."""
