"""ccv's convnet files in: an SQLite database, and PNG pictures of palette indices beside it.

Format: liuliu/ccv, lib/ccv_convnet.c, of 2014-03 and since; the pictures are those of Klaus (2014).

reader     the door: is_ccv, read_ccv; light to look at
database   the file behind SQLite's defences: tables, columns, lengths, blobs
layers     rows of numbers to layers, each number judged
rules      what a whole network obeys; the shape of every layer's output
weights    blobs to float32, exactly as long as the layer needs
samples    a PNG's raw samples: grey or palette index, 1 to 8 bits
pictures   which picture belongs to which layer; indices and table to a palette
lowering   layers to a Network, channels first
network    the story: a file to an `Imported`
"""
