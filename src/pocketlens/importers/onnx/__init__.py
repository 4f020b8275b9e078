"""ONNX in. `reader` is the door; everything else here needs the onnx package.

reader      the door: read_onnx, lower_model; asks for the extra where onnx is missing
files       bytes on disk to a ModelProto: external data, truncation, foreign files
classifier  the input's shape, one answer a class, names and licence
lowering    a ModelProto to a Network, node by node
values      what a name stands for while lowering: an array or a constant
builder     the network under construction
site        one ONNX node, as a lowering sees it
registry    which function lowers which operator
folding     constants computed at import
steps       nodes that many lowerings emit
ops/        the lowerings, one file a family
"""
