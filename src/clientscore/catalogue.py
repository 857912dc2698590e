"""Names of the features: pillar, unit, direction of risk and plain words in English and Chinese.

The words stand in ``feature_catalogue.toml`` beside this file, which also fixes the columns of a feature
table and their order.  A derived feature is a base name and a suffix (``interest_cover_change_1y``); its
words are made from those of its base.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

Pillar = Literal["financial", "credit", "market", "relationship", "other"]
Direction = Literal["increasing", "decreasing"]
PILLARS: tuple[Pillar, ...] = get_args(Pillar)

__all__ = [
    "PILLARS",
    "Direction",
    "FeatureSpec",
    "Pillar",
    "base_features",
    "derived_suffixes",
    "describe",
    "feature_columns",
    "in_words",
    "pillar_of",
]


@dataclass(frozen=True)
class FeatureSpec:
    """One feature in plain words.

    Parameters
    ----------
    name : str
        Column of the feature table.
    pillar : {"financial", "credit", "market", "relationship", "other"}
        The group whose points the feature counts towards.
    unit : str
        What the number is: "ratio", "share" (0 to 1), "days", "months", "count", "rate" (a year)...
    direction : {"increasing", "decreasing"} or None
        What a higher value does to the risk of default; None where it has no fixed direction.
    en, zh : str
        The feature in English and in Chinese words.
    """

    name: str
    pillar: Pillar
    unit: str
    direction: Direction | None
    en: str
    zh: str


def describe(feature_name: str) -> FeatureSpec | None:
    """Describe a feature, base or derived; None when the library does not know it.

    Parameters
    ----------
    feature_name : str
        A base name, or a base name and a suffix: ``_change_1y``, ``_change_2y``, ``_change_3y``,
        ``_vs_history``, ``_rank``.  A derived feature keeps the pillar and direction of its base.

    Returns
    -------
    FeatureSpec or None

    Examples
    --------
    >>> describe("interest_cover").zh
    '利息保障倍数'
    >>> describe("interest_cover_change_1y").en
    'interest cover, change over one year'
    >>> describe("shoe_size") is None
    True
    """
    catalogue = _read()
    if feature_name in catalogue.specs:
        return catalogue.specs[feature_name]
    for suffix, words in catalogue.suffixes.items():
        base = describe(feature_name.removesuffix(suffix)) if feature_name.endswith(suffix) else None
        if base is not None:
            return replace(
                base,
                name=feature_name,
                unit=words.get("unit", base.unit),
                en=words["en"].format(base=base.en),
                zh=words["zh"].format(base=base.zh),
            )
    return None


def pillar_of(name: str) -> Pillar:
    """Return the pillar of a feature, "other" when the library does not know it.

    Examples
    --------
    >>> pillar_of("dpd_max_12m"), pillar_of("roa_rank"), pillar_of("shoe_size")
    ('credit', 'financial', 'other')
    """
    spec = describe(name)
    return "other" if spec is None else spec.pillar


def base_features(pillar: Pillar | None = None) -> tuple[str, ...]:
    """Return the base features of one pillar, or of all, in catalogue order.

    Parameters
    ----------
    pillar : {"financial", "credit", "market", "relationship", "other"} or None, default None
        None returns the base features of every pillar.

    Examples
    --------
    >>> base_features("market")[:2]
    ('sector_growth', 'policy_rate')
    """
    specs = _read().specs.values()
    return tuple(spec.name for spec in specs if pillar is None or spec.pillar == pillar)


def derived_suffixes(name: str) -> tuple[str, ...]:
    """Return the suffixes that a feature table holds beside the level of a base feature.

    Examples
    --------
    >>> derived_suffixes("market_to_assets")
    ('_rank',)
    """
    return _read().derived.get(name, ())


def feature_columns() -> tuple[str, ...]:
    """Return the columns of a feature table in their one order: all levels, then all derived features.

    Examples
    --------
    >>> columns = feature_columns()
    >>> columns[0], columns[-1]
    ('current_ratio', 'market_to_equity_rank')
    """
    bases = base_features()
    return bases + tuple(base + suffix for base in bases for suffix in derived_suffixes(base))


@dataclass(frozen=True)
class _Catalogue:
    specs: Mapping[str, FeatureSpec]
    derived: Mapping[str, tuple[str, ...]]
    suffixes: Mapping[str, Mapping[str, str]]


@cache
def _read() -> _Catalogue:
    """Read the catalogue file once."""
    text = resources.files("clientscore").joinpath("feature_catalogue.toml").read_text(encoding="utf-8")
    raw: dict[str, dict[str, Any]] = tomllib.loads(text)
    specs: dict[str, FeatureSpec] = {}
    derived: dict[str, tuple[str, ...]] = {}
    for pillar in PILLARS:
        for name, entry in raw.get(pillar, {}).items():
            specs[name] = FeatureSpec(
                name, pillar, entry["unit"], entry.get("direction"), entry["en"], entry["zh"]
            )
            derived[name] = tuple(entry.get("derived", raw["derived"][pillar]))
    return _Catalogue(MappingProxyType(specs), MappingProxyType(derived), MappingProxyType(raw["suffixes"]))


def in_words(name: str, lang: Literal["en", "zh"] = "en") -> str:
    """Return a feature's name in plain words; one of your own with blanks for underscores.

    Parameters
    ----------
    name : str
        A feature.
    lang : {"en", "zh"}, default "en"
        English or Chinese.

    Examples
    --------
    >>> in_words("interest_cover", lang="zh")
    '利息保障倍数'
    >>> in_words("years_in_chamber")
    'years in chamber'
    """
    spec = describe(name)
    if spec is None:
        return name.replace("_", " ")
    return spec.zh if lang == "zh" else spec.en
