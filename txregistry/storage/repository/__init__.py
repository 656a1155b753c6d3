"""What one repository holds, by its links."""
