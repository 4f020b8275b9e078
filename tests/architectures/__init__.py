"""Well-known architectures with random weights, from skeletons without any."""
