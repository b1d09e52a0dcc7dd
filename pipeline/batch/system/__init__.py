"""The machine and its clock: deadline, signals, hooks, processor and memory."""
