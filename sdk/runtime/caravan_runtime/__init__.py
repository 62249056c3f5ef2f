"""The guest: CPython, the SDK and the standard library that works, for one run of one app."""
