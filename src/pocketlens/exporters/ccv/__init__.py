"""A lens as ccv's convnet file: an SQLite database, and Klaus's PNG pictures of palette indices.

Format: liuliu/ccv, lib/ccv_convnet.c, of 2014-03 and since; the pictures are those of Klaus (2014).

writer    the story: a lens to a folder of files
layers    what ccv knows of a layer, as plain values
walk      a graph to layers, where ccv has such layers
places    where ccv keeps the numbers of an array, channels last
picture   a recipe to the picture that ccv takes and the mean that it subtracts
weights   a lens's tensors to blobs and pictures
indices   a full connect's indices to a PNG picture
database  rows to the bytes of an SQLite file
"""
