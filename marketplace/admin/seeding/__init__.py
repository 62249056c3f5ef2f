"""A believable catalogue for demonstrations, screenshots and measurements."""
