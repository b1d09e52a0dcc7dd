"""The front door: arguments in, exit code out. Each verb imports what it needs when called.

`main` is the command. Its verbs: `check`, `run`, `paint`, `measure`, `masks`, `sheet`, `watch`,
`status`, `show`, `setup`. What they share: `arguments`, `paths`, `questions`
to other processes, `rendering` for stdout; `console`, `progress` and `log_file` say how a run goes,
on `streams` that are always open."""
