"""The use cases; they know no queue."""
