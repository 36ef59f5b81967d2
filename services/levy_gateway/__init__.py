"""The gateway, the only public address: checks and forwards requests; computes nothing itself."""
