"""Rewrites of a network that keep its results: one a file, put in order by simplify.py."""
