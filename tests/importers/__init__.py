"""The ONNX importer: every lowering, every pattern, every bad file."""
