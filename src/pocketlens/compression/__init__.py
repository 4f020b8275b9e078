"""From a trained network to a lens: fates, palettes, planes."""
