"""Networks that propose parameters; the exact pricer has the last word."""
