"""Names and version of the feature columns.

A model states the fingerprint of the features that it was fitted on, made from the version here
and the settings in :mod:`asmr_classify.config`; features of another fingerprint are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asmr_classify.features.modulation import (
    modulation_statistics_columns,
    normalised_statistics_columns,
)
from asmr_classify.features.statistics import (
    impulse_statistics_columns,
    scalar_statistics_columns,
    spectral_statistics_columns,
    texture_statistics_columns,
)

if TYPE_CHECKING:
    from asmr_classify.config import FeatureSpec

SCHEMA_VERSION = 3
"""Raised whenever the meaning of a column changes."""


def column_names(spec: FeatureSpec) -> tuple[str, ...]:
    """Name the columns of the window rows, in order.

    Parameters
    ----------
    spec : FeatureSpec

    Returns
    -------
    tuple of str, length n_features
    """
    return (
        *spectral_statistics_columns(spec.frames.n_mels),
        *scalar_statistics_columns(),
        *texture_statistics_columns(),
        *impulse_statistics_columns(),
        *modulation_statistics_columns(),
        *normalised_statistics_columns(spec.frames.n_mels),
    )


def fingerprint(spec: FeatureSpec) -> str:
    """Name the features that these settings and this version of the schema compute.

    Returns
    -------
    str
        Sixteen hexadecimal digits.
    """
    return spec.fingerprint(SCHEMA_VERSION)
