"""The content of all repositories, by digest: kept, verified, spared while in use."""
