"""Calibration through time: each day's parameters from its quotes and from the days before."""

from levy_numerics.sequential.estimators import ESTIMATORS, follower_of
from levy_numerics.sequential.followers import Followed, Follower
from levy_numerics.sequential.kalman import FilterState

__all__ = ["ESTIMATORS", "FilterState", "Followed", "Follower", "follower_of"]
