"""Networks as plain values: operators, shapes, nodes. Knows no file format and no engine."""
