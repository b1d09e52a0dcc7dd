"""The front door: arguments in, exit code out. Each verb imports what it needs when called."""
