"""The machine and its clock: `machine` and `nodes`, `environment` of workers, `signals`, `pausing`,
`deadline`, `hooks`."""
