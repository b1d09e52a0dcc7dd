"""The only door between clips, which are videos, animations and numbered frames, and pixels.

What a clip is: `facts`, `frame`, `listing` (numbered frames by name). By kind: `reading` asks
`video`, `animation` or `numbered`.

A video: `container` opens only the one file, `structure` looks at its bytes beforehand, `decoding`
and `seeking` give frames, which `geometry`, `colours` and `hdr` make pictures.

From frame to frame: `flow` is what moved and where shots begin, `carrying` what a frame takes over.

Written: `writing`, by `encoding`, with its `sound`, or by `animated`.
"""
