"""Measurements of speed: never part of a run's results, because they are the machine's as much as the code's."""
