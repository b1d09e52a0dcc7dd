"""Pairs and matrices to jobs: files, combinations, names of outputs."""
