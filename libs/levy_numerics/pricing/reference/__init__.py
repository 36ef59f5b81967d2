"""Published pricing methods, to compare with."""
