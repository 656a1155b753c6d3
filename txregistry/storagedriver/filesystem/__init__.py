"""Storage in a directory of a file system."""
