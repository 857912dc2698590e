"""The additive card: per feature, or pair of features, a list of rows and a list of values.

::

    values --fit_bins--> bins --encode--> codes --learn_boosted--> AdditiveCard --decision--> log-odds
    values -----------------------learn_woe--------------------^

========================  ==========================================================================
:class:`AdditiveCard`     the model: data that JSON can carry; scoring, contributions, calibration
:class:`FeatureBins`      how a value of one feature becomes a row number
:class:`FeatureRule`      what people decide about a feature: direction, codes, range, odd values
:class:`Edit`             one change by hand: what, who, when, why
:func:`choose_bins`       the fewest bins that lose nothing on clients held out
:func:`learn_boosted`     bagged boosting, two features a path, folded without loss, purified, shortened
:func:`learn_woe`         weight of evidence over bins from an exact dynamic program, logistic
:func:`expert_card`       points that people wrote down, TOML or CSV (:class:`PointsTable`)
:func:`slotting_card`     project finance by the supervisory criteria, an example
:func:`bag_trees`         full trees over the same bins: no card, what a card is measured against
:func:`boundary_frame`    the values at which an export could differ; :func:`compare_export` proves it
========================  ==========================================================================
"""

from __future__ import annotations

from ._bagged import CardBags
from ._bins import FeatureBins, encode
from ._boosted import learn_boosted
from ._boundary import boundary_frame, compare_export
from ._card import AdditiveCard
from ._choose_bins import BIN_SIZES, choose_bins
from ._edit import Edit
from ._expert import expert_card, slotting_card
from ._feature_rule import FeatureRule
from ._fit_bins import fit_bins
from ._points_table import FeaturePoints, PointsTable
from ._report import BoostReport
from ._stability import StabilityReport
from ._term import Term
from ._trees import BaggedTrees, bag_trees
from ._woe import learn_woe
from ._woe_report import WoeReport
from ._woe_settings import WoeSettings

__all__ = [
    "BIN_SIZES",
    "AdditiveCard",
    "BaggedTrees",
    "BoostReport",
    "CardBags",
    "Edit",
    "FeatureBins",
    "FeaturePoints",
    "FeatureRule",
    "PointsTable",
    "StabilityReport",
    "Term",
    "WoeReport",
    "WoeSettings",
    "bag_trees",
    "boundary_frame",
    "choose_bins",
    "compare_export",
    "encode",
    "expert_card",
    "fit_bins",
    "learn_boosted",
    "learn_woe",
    "slotting_card",
]
