"""The five style pictures of `input/style`, painted by program: one module per picture, and the
paint they share."""
