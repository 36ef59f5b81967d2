"""Training of networks: recipes, noise drawn anew, checkpoints, metrics, artifacts."""
