"""Use cases, independent of the queue."""
