"""`python -m bench` is the `bench` command."""

from bench.cli.main import main

main()
