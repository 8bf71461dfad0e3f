"""Lets `python -m manor` be the `manor` command."""

from manor.cli import main

main(prog_name="manor")
