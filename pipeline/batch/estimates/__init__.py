"""What a pair will take: time and memory (`estimator`, by the curve of `cost` and this machine's
`factor`), frames and bytes (`amounts`), room on the disk (`disk_space`)."""
