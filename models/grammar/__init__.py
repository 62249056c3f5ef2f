"""The grammar of the demo model: everything it is taught, as pure seeded functions."""
