"""Stores of objects: what is read from them and written to them.

`protocol` is what is asked of one; `buckets`, `sftp` and `https` ask it; `service` asks them, with
tries and words. `fetching` brings the pictures of a manifest here, `mirror` is a folder of copies
with their tags, `cache` holds copies to a size."""
