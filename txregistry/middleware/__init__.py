"""What stands around registry, repositories and storage, as the configuration says."""
