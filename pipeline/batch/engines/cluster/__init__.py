"""A cluster of Dask's paints: `engine` is the driver's side, `host` the workers', `link` the line
between them, `proof` what a worker must show before it is given a pair."""
