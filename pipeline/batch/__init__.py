"""A run: what is painted when and where, and what becomes of it. No tensors outside the painter."""
