"""Class names: what the numbers of an answer are called."""
