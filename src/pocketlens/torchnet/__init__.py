"""A network as a torch module, for gradients. Needs the 'torch' extra; the doors do not."""
