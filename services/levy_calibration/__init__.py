"""The calibration service: from quotes to parameters, with fit and uncertainty."""
