"""The table of 2014 as a command: one network at many sizes, measured on the same photos."""
