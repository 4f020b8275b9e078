"""Engines: the NumPy reference that says what a graph means, and the C++ core that runs plans.

The core needs no NumPy to run; the reference is about arrays.
"""
