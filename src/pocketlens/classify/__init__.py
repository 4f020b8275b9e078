"""An opened lens: photo in, answer out. Introduces images, engine and labels to each other."""
