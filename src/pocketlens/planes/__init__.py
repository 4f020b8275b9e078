"""Planes: a tensor's palette indices as grayscale PNG pictures, in bands of at most 1 MB.

`scanlines` and the nouns in `plane` need no NumPy; the rest is about arrays.
"""
