"""Pairs and matrices to jobs: files, combinations, names of outputs.

`expand` does it. Pictures: `choices` and `pictures`, `masks`, `style_changes` along a clip.
Matrices: `matrix`, `cells`. Names: `naming`, `outputs`. What is said of them:
`clip_faults`, `idle` settings, `left_out` pictures."""
