"""The wallet: what a client spends on banking altogether, and our share of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import check_columns, check_integer, check_interval
from clientscore._frames import numbers_of
from clientscore.exceptions import DataError, InvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def wallet(volumes: pd.DataFrame, margins: Mapping[str, float]) -> pd.Series:
    r"""Income that all banks together earn from a client in a year, from its volumes.

    .. math:: W = \sum_{products} volume \cdot market\ margin

    Parameters
    ----------
    volumes : DataFrame of shape (n, n_products)
        Yearly average volume that the client has with all banks, a column a product (loans, deposits,
        payments, trade, ...), currency units; statements and the credit register know most of them.
    margins : mapping of str to float
        Yearly margin or fee of the market on each product, a fraction of its volume.

    Returns
    -------
    Series
        On the index of `volumes`, currency units a year. A product whose volume is missing adds nothing; a
        client without any known volume has a missing wallet.

    Raises
    ------
    MissingColumnError
        A product of `margins` has no column.
    InvalidParameterError
        A margin lies outside [0, 1].
    DataError
        A volume is negative or not a number.

    References
    ----------
    Perlich, Rosset, Lawrence and Zadrozny (2007), High-quantile modeling for customer wallet estimation and
    other applications, KDD, https://doi.org/10.1145/1281192.1281297

    Examples
    --------
    >>> volumes = pd.DataFrame({"loans": [1000.0], "deposits": [500.0]}, index=["C1"])
    >>> wallet(volumes, {"loans": 0.02, "deposits": 0.01}).tolist()
    [25.0]
    """
    if not margins:
        raise InvalidParameterError(
            'margins must name at least one product, such as {"loans": 0.02}; got none.'
        )
    check_columns(volumes.columns, margins, subject="wallet")
    total, known = np.zeros(len(volumes)), np.zeros(len(volumes), dtype=bool)
    for product, margin in margins.items():
        check_interval(f"margins[{product!r}]", margin, low=0.0, high=1.0)
        amounts = numbers_of(volumes, product)
        negative = int((amounts < 0).sum())
        if negative:
            raise DataError(f"{product} must be at least 0; it is negative in {negative} rows.")
        total += np.nan_to_num(amounts) * margin
        known |= ~np.isnan(amounts)
    return pd.Series(np.where(known, total, np.nan), index=volumes.index, name="wallet_amount")


def peer_wallet(
    frame: pd.DataFrame,
    *,
    by: Sequence[str] = ("industry",),
    income: str = "income_amount",
    size: str = "size_amount",
    quantile: float = 0.9,
    min_peers: int = 20,
) -> pd.Series:
    r"""Income that could be earned from a client, from what its best-served peers bring.

    .. math:: W = \max(income, \; size \cdot Q_q(income / size \mid peers))

    Assumes that among many peers some do nearly all their banking here, so that a high quantile of income
    per unit of size is a wallet and not only a share of one.

    Parameters
    ----------
    frame : DataFrame
        One row a client, with the columns named below.
    by : sequence of str, default ("industry",)
        Columns whose equal values make peers; a missing value is a value of its own.
    income : str, default "income_amount"
        Our income from the client, currency units a year.
    size : str, default "size_amount"
        Size of the client, currency units (sales or total assets).
    quantile : float, default 0.9
        Quantile of income per size among peers that stands for the whole wallet, in (0, 1).
    min_peers : int, default 20
        Peers with known income and size that a group needs; smaller ones take the quantile of the book.

    Returns
    -------
    Series
        On `frame`'s index, currency units a year; missing where the size is missing or not above zero, and
        everywhere where the book has fewer than `min_peers`.

    Raises
    ------
    MissingColumnError
        A column is absent.

    References
    ----------
    Perlich, Rosset, Lawrence and Zadrozny (2007), High-quantile modeling for customer wallet estimation and
    other applications, KDD, https://doi.org/10.1145/1281192.1281297

    Examples
    --------
    >>> book = pd.DataFrame({"industry": "trade", "size_amount": 1e6, "income_amount": [0.0, 5e3, 1e4]})
    >>> peer_wallet(book, quantile=0.5, min_peers=3).tolist()
    [5000.0, 5000.0, 10000.0]
    """
    check_columns(frame.columns, (*by, income, size), subject="peer_wallet")
    check_interval("quantile", quantile, low=0.0, high=1.0, closed="neither")
    check_integer("min_peers", min_peers, low=1)
    earned, large = numbers_of(frame, income), numbers_of(frame, size)
    ratio = pd.Series(np.where(large > 0, earned / np.where(large > 0, large, 1.0), np.nan))
    whole = ratio.quantile(quantile) if ratio.notna().sum() >= min_peers else np.nan
    groups = ratio.groupby([frame[name].to_numpy() for name in by], dropna=False) if by else None
    typical = pd.Series(whole, index=ratio.index)
    if groups is not None:
        enough = groups.transform("count") >= min_peers
        typical = groups.transform("quantile", quantile).where(enough, whole)
    found = np.fmax(typical.to_numpy() * np.where(large > 0, large, np.nan), earned)
    found = np.where((large > 0) & typical.notna().to_numpy(), found, np.nan)
    return pd.Series(found, index=frame.index, name="wallet_amount")


def share_of_wallet(income: Any, wallet_amount: Any) -> Any:
    r"""Our share of what a client spends on banking.

    .. math:: share = \min(1, \max(0, income / W))

    Parameters
    ----------
    income : float, array or Series
        Our income from the client, currency units a year.
    wallet_amount : float, array or Series
        Its wallet, currency units a year, as from `wallet` or `peer_wallet`.

    Returns
    -------
    float, array or Series
        A fraction in [0, 1]; missing where an input is missing or the wallet is not above zero.

    Examples
    --------
    >>> float(share_of_wallet(5.0, 25.0))
    0.2
    """
    earned, whole = np.asarray(income, dtype=float), np.asarray(wallet_amount, dtype=float)
    share = np.clip(earned / np.where(whole > 0, whole, np.nan), 0.0, 1.0)
    for given in (income, wallet_amount):
        if isinstance(given, pd.Series):
            return pd.Series(share, index=given.index, name="wallet_share")
    return share
