"""What the classical learner found: information value, bins and coefficient of every feature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class WoeReport:
    """What :func:`learn_woe` found out on the way.

    Attributes
    ----------
    features : DataFrame
        One line a feature: columns feature, bins (number of merged bins, missing and special codes among
        them), trend (of numbers: increasing, decreasing, peak, valley, mixed or flat; of categories "by
        rate"), iv (information value), coefficient (missing where the feature is left out), note (why it
        is left out, or which rule could not be kept; empty where nothing is to be said).
    bins : DataFrame
        One line a merged bin: columns feature, row, weight, bads, bad_rate, woe (weight of evidence of
        bad), woe_error (its standard error, ``sqrt(1 / bads + 1 / goods)``), iv.
    """

    features: pd.DataFrame
    bins: pd.DataFrame

    def frame(self) -> pd.DataFrame:
        """Return one line a feature, in the order of the training columns."""
        return self.features

    def to_dict(self) -> dict[str, Any]:
        """Return features and bins as JSON scalars and lists; a missing coefficient is None."""
        features = self.features.astype({"coefficient": object})
        features["coefficient"] = features["coefficient"].where(self.features["coefficient"].notna(), None)
        return {"features": features.to_dict("records"), "bins": self.bins.to_dict("records")}

    def _repr_html_(self) -> str:
        return str(self.features.to_html(index=False, float_format="{:.4g}".format, na_rep=""))
