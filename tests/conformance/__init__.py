"""ONNX's own conformance cases, run on every engine.

`python -m tests.conformance.report` prints the figures.
"""
