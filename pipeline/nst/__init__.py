"""Neural style transfer: the network, the objective, and descent on a picture. No files but the
weights."""
