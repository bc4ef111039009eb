"""`python -m mtjchar.cli`."""

from mtjchar.cli import main

main()
