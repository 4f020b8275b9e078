"""Fine-tuning of a lens: values of palettes and biases are trained, indices stay. Needs torch."""
