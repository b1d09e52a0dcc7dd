"""A night as a page on this machine, while it goes on or after it.

`night` and `last` read what an output folder says, without a lock; `pages` shows it, `site` says at
which address, `kinds` which pictures have one, `server` to whom, and knows nothing of what it
serves.
"""
