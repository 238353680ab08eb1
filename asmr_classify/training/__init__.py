"""Corpus to model: splits by group, features, fit, calibration, evaluation, card."""
