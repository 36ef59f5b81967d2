"""Published pricing methods for comparison."""
