"""`python -m marketplace` is the command `marketplace`."""

import gc

# Reading the store makes many lasting objects; looking for garbage among them takes a tenth of it.
gc.disable()

from marketplace.cli import main  # noqa: E402  (read without the collector)

# What was read stays, so that no later collection, nor one in a forked part, touches its pages.
gc.freeze()
gc.enable()
main()
