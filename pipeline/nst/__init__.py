"""The studio: the network, the losses, and descent on a picture. Tensors; no files but the
weights."""
