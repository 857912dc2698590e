"""The additive card: per feature, or pair of features, a list of rows and a list of values.

::

    values --fit_bins--> bins --encode--> codes --learn_boosted--> AdditiveCard --decision--> log-odds
    values -----------------------learn_woe--------------------^

========================  ==========================================================================
:class:`AdditiveCard`     the model: data that JSON can carry; scoring, contributions, calibration
:class:`FeatureBins`      how a value of one feature becomes a row number
:class:`FeatureRule`      what people decide about a feature: direction, codes, range, odd values
:func:`learn_boosted`     bagged boosting of depth 2, folded without loss, purified
:func:`learn_woe`         weight of evidence over bins from an exact dynamic program, logistic
:func:`boundary_frame`    the values at which an export could differ; :func:`compare_export` proves it
========================  ==========================================================================
"""

from __future__ import annotations

from ._bins import FeatureBins, encode
from ._boosted import learn_boosted
from ._boundary import boundary_frame, compare_export
from ._card import AdditiveCard
from ._feature_rule import FeatureRule
from ._fit_bins import fit_bins
from ._report import BoostReport
from ._term import Term
from ._woe import learn_woe

__all__ = [
    "AdditiveCard",
    "BoostReport",
    "FeatureBins",
    "FeatureRule",
    "Term",
    "boundary_frame",
    "compare_export",
    "encode",
    "fit_bins",
    "learn_boosted",
    "learn_woe",
]
