"""The pricing service: prices, Greeks, implied volatilities, and the catalogue of models."""
