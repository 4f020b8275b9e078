"""What the data says about each layer: means, covariances, sensitivities."""
