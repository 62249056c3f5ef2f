"""Apps, releases, listings and search."""
