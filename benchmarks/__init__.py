"""What is claimed of speed and memory, measured: `make bench` writes RESULTS.md. One module per figure."""
