"""Images in a directory or a tar, for the command line (OCI image-spec)."""
