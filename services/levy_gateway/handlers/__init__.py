"""The use cases; they know no HTTP."""
