"""The gateway: the one public address; it checks, forwards and answers, and computes nothing."""
