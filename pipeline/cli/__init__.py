"""The front door: arguments in, exit code out. Every verb imports what it needs when it is called, so that help is instant."""

from pipeline.cli.main import cli, main

__all__ = ["cli", "main"]
