"""Photos: decoding, the recipe that makes them the network's input, crops."""
