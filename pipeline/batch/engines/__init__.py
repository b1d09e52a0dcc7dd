"""Where pairs are painted: what a run asks of an engine, and the engines there are."""
