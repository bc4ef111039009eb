"""`python -m mtjchar`: the command line."""

from mtjchar.cli import main

main()
