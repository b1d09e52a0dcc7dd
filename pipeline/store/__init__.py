"""What stands in an output folder: whole files, records, hashes, failures, the lock."""
