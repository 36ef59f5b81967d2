"""Requests read, handlers called, answers shaped."""
