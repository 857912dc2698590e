"""The additive card: per feature, or pair of features, a list of rows and a list of values.

::

    values --fit_bins--> bins --encode--> codes --learn_boosted--> AdditiveCard --decision--> log-odds
    values -----------------------learn_woe--------------------^

========================  ==========================================================================
:class:`AdditiveCard`     the model: data that JSON can carry; scoring, contributions, calibration
:class:`FeatureBins`      how a value of one feature becomes a row number
:func:`learn_boosted`     bagged boosting of depth 2, folded without loss, purified
:func:`learn_woe`         weight of evidence over bins from an exact dynamic program, logistic
========================  ==========================================================================
"""

from __future__ import annotations

from ._bins import FeatureBins, encode, fit_bins
from ._boosted import learn_boosted
from ._card import AdditiveCard
from ._report import BoostReport
from ._term import Term
from ._woe import learn_woe

__all__ = [
    "AdditiveCard",
    "BoostReport",
    "FeatureBins",
    "Term",
    "encode",
    "fit_bins",
    "learn_boosted",
    "learn_woe",
]
