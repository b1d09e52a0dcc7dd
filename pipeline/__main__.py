"""`python -m pipeline` is the command `stylize`."""

from pipeline.cli.main import main

main()
