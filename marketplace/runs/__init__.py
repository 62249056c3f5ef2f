"""One run of one app for one person."""
