"""Self-contained HTML reports of fits, comparisons and posteriors."""
