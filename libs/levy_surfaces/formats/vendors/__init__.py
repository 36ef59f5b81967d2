"""One module for each vendor, with its `FORMATS`."""
