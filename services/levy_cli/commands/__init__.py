"""One module a command; `run(options)` returns the exit code."""
