"""Neural style transfer: the network, the objective, and descent on a picture. No files but the
weights.

The network: `network` is VGG19 or VGG16 as a value, `weights` says which file holds it, `kernels`
and `hdf5` read that file, `normalization` has kernels of mean activation 1, and `extractor` is the
network as a function, `pieces` what lies inside its frame. `convolution` and `winograd` compute it
fast, `graphs` trace parts of it once, `wrapping` lets a picture go on from its other end,
`importing` imports TensorFlow.

What is wanted: `terms`, one distance each; `own_terms`, those of a caller in Python; `objective`, a
tuple of terms. `positions` counts the places that are compared.

Losses and gradients: `evaluator` of a whole picture, `tiled` of one in tiles; `tiling` says which,
`geometry` where they lie, `combining` how their measures become the picture's.

The descent: `optimizers` (L-BFGS, Adam, GD) with `curvature_pairs` and `preconditioner`,
`variables` for tensors that change, `descent` for the walk. `precision` says which arithmetic is
fast here, and `engine` keeps what is worth keeping between pairs."""
