"""A lens in the files of other programs."""
