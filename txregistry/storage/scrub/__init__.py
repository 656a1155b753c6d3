"""Read all that is stored, to find what the disk has lost."""
