"""The contents of one repository, by its links."""
