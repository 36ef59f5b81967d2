"""Manifests; what of them is made from other files, `python -m k8s` writes."""
