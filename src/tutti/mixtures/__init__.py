"""Synthetic mixtures of recorded notes, with labels, masks and provenance."""
