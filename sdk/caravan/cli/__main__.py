"""`python -m caravan.cli` is `caravan`."""

from caravan.cli import main

main(prog_name="caravan")
