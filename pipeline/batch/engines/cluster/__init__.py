"""A cluster of Dask's paints: `engine` is the driver's side, `host` the workers', `link` the line
between them, `work` how that stands, `proof` what a worker must show before it is given a pair."""
