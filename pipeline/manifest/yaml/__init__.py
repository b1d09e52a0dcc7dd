"""YAML text to a tree of nodes that know their places. Knows nothing of pairs.

`source` is a file's text, `tree` its nodes, `scalars` what a word means, `syntax` and `problems`
what is wrong with it; `writer` goes back."""
