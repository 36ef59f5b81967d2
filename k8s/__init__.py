"""Kubernetes manifests; `python -m k8s` writes the generated ones."""
