"""Makes demo/model: synthetic scenes with known layers, the training of a small model on them, its export, its evaluation."""
