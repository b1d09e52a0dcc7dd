"""A night as a page on this machine, while it goes on or after it."""
