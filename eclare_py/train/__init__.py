"""Training: data preparation, stages, checkpoints, recipes."""
