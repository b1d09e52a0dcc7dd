"""`python -m pipeline` is the command `stylize`."""

from pipeline.cli import main

main()
