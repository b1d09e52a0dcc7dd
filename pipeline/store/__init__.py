"""What stands in an output folder: whole files, records, hashes, failures, the lock.

A place: `store` is what is asked of one, and says which an output has: `disk`, or `delivered` to an
address. On a disk, `beneath` follows no link, `whole` writes whole files, `trials` finds out what a
file system lacks; `lock` and `object_lock` let one run in.

Names: `layout`, `output_files`. What is written: `records` by `keys`, `hashes` of inputs,
`failures`, `previous` pictures, `now` and `roll` while a run goes on.

Read back, from a folder that can be anybody's: `checksummed_json`, `shapes`, `archive`.
"""
