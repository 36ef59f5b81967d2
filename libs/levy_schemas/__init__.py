"""The wire: what the services say to one another and to their clients."""
