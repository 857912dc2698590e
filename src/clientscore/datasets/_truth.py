"""What the simulator knows and no table shows: rates, frailties, amount law, effects, futures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clientscore._checks import check_integer
from clientscore.exceptions import InvalidParameterError
from clientscore.labels import build_labels, churn_target, need_target
from clientscore.metrics import auc, brier
from clientscore.schema import ClientSchema

from ._constants import DEFAULT, FALL_HOLDS, HARD, NEED, SERVICE_DRIVERS, SERVICE_UNITS, SILENT, Array
from ._dynamics import service_terms
from ._futures import FutureLabels, Futures, simulate_futures
from ._rows import Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._book import Book


@dataclass(frozen=True)
class Truth:
    """The truth of a simulated book.

    The monthly rate of a cause is ``frailty x exp(eta)`` with ``eta`` a function of the state at the first of
    the month; P(no exit in the month) = exp(-sum of rates). Frailties are Gamma with mean 1, independent
    across causes and of everything else a table shows.

    Parameters
    ----------
    book : Book
        The records of the simulation.
    tables : dict of str to DataFrame
        The tables of the book.

    Notes
    -----
    What futures start from is the state at the date, all but the frailties. It includes the financial
    condition behind the accounts (statements report it late and with noise; use of the line, arrears and
    balances follow it month by month) and the client's own events from before the tables begin. Futures
    hold no statements, so that a fall of reported sales explains no run-off there (it does for about one
    label in a thousand of the book).
    """

    book: Book
    tables: dict[str, pd.DataFrame]

    def __repr__(self) -> str:
        n_months, n_places = self.book.client.shape
        return f"Truth({n_places:,} clients at a time, {n_months - 1} months)"

    @property
    def service_effects(self) -> pd.DataFrame:
        """Effect of one unit of each driver on the log rate of leaving.

        Returns
        -------
        DataFrame indexed by driver
            ``hard_attrition`` and ``silent_attrition`` (log rate per unit) and ``unit`` (text). What counts
            is the client's state at the first of the month.
        """
        table = pd.DataFrame.from_dict(
            SERVICE_DRIVERS, orient="index", columns=["hard_attrition", "silent_attrition"]
        )
        return table.assign(unit=pd.Series(SERVICE_UNITS, dtype="str")).rename_axis("driver")

    def service_variance(self) -> pd.DataFrame:
        """Return how much each driver moves the log rate of leaving in this book.

        Returns
        -------
        DataFrame indexed by driver
            Variance of the driver's part of the log rate over all client-months, ``hard_attrition`` and
            ``silent_attrition``.
        """
        stayed = self.book.stayed
        terms = {name: term[stayed] for name, term in service_terms(self.book.record).items()}
        effects = self.service_effects.drop(columns="unit")
        return effects.pow(2).mul(pd.Series({name: term.var() for name, term in terms.items()}), axis=0)

    def hazards(self, *, frailty: bool = True) -> pd.DataFrame:
        """Return the monthly rate of every cause and the law of new money, one row a client and month.

        Parameters
        ----------
        frailty : bool, default True
            With the client's own frailty; False gives the rate of a client of frailty 1.

        Returns
        -------
        DataFrame
            ``client_id``, ``month``; rates a month ``hard_attrition``, ``silent_attrition`` (falls of
            balances that last, counted when they begin; 0 while one is under way; the labels find about four
            in five of them, some five months later), ``default``, ``scheduled_repayment``, ``bank_exit``,
            ``need``; the amount of one drawing is lognormal with ``amount_median`` (currency units) and
            ``amount_sigma`` (of the log).
        """
        rows = Rows.of(self.book)
        at = (rows.month, rows.place)
        record = self.book.record

        def rate(cause: int) -> Array:
            values = np.exp(record["eta"][:, cause][at].astype(float))
            return np.asarray(values * record["frailty"][:, cause][at] if frailty else values)

        fallen = record["fallen"][at]
        return pd.DataFrame(
            {
                "client_id": rows.client_id(),
                "month": rows.dates(),
                "hard_attrition": rate(HARD),
                "silent_attrition": np.where(fallen, 0.0, FALL_HOLDS * rate(SILENT)),
                "default": rate(DEFAULT),
                "scheduled_repayment": record["repayment_rate"][at],
                "bank_exit": record["bank_exit_rate"][at],
                "need": rate(NEED),
                "amount_median": record["amount_median"][at],
                "amount_sigma": record["amount_sigma"][at],
            }
        )

    def futures(
        self,
        as_of: Any,
        n: int = 100,
        *,
        horizon: int = 12,
        lead: int = 1,
        random_state: int = 0,
        schema: ClientSchema | None = None,
        keep_labels: bool = False,
    ) -> Futures:
        """Simulate the book on from its state at a date, many times.

        Every future redraws each frailty from its posterior given the client's own history (Gamma(1 / theta
        + events, 1 / theta + summed rate)), the path of the cycle and everything else to come; what happened
        after `as_of` in the book is not used. Outcomes come from ``build_labels`` on the history and the
        future together.

        Parameters
        ----------
        as_of : date or str
            First day of a month of the book, or the first day after it.
        n : int, default 100
            Number of futures.
        horizon : int, default 12
            Months of the outcome window.
        lead : int, default 1
            Months between `as_of` and the window.
        random_state : int, default 0
            Seed of the futures.
        schema : ClientSchema, optional
            Names of causes and events; the default schema unless given.
        keep_labels : bool, default False
            Keep the labels of every future (large).

        Returns
        -------
        Futures
            Means a client and rates of the book in each future.

        Raises
        ------
        InvalidParameterError
            When `as_of` is not the first day of a month from the second month of the book to its end.
        """
        check_integer("n", n, low=1)
        check_integer("horizon", horizon, low=1)
        check_integer("lead", lead, low=0)
        check_integer("random_state", random_state, low=0)
        month = self._month(as_of)
        places = np.flatnonzero(self.book.joined[self.book.client[month]] < month)
        schema = ClientSchema.default() if schema is None else schema
        labeler = FutureLabels(self.book, self.tables["clients"], month, places, schema)
        return simulate_futures(
            labeler,
            places,
            int(n),
            horizon=horizon,
            lead=lead,
            seed=int(random_state),
            keep_labels=keep_labels,
        )

    def oracle(
        self, as_of: Sequence[Any], n: int = 200, *, horizon: int = 12, lead: int = 1, random_state: int = 0
    ) -> pd.DataFrame:
        """Judge the true means as a forecast of what the book did: the best any model can hope for.

        Parameters
        ----------
        as_of : sequence of dates
            Dates whose window closed inside the book.
        n : int, default 200
            Futures a date; the noise of few futures lowers the AUC.
        horizon, lead : int, default 12 and 1
            The outcome window, months.
        random_state : int, default 0
            Seed of the futures.

        Returns
        -------
        DataFrame indexed by outcome ("default", "attrition", "need")
            ``auc``, ``brier``, ``mean_true``, ``mean_realized`` and ``n``, over all dates together.
        """
        schema = ClientSchema.default()
        parts: dict[str, list[pd.DataFrame]] = {"default": [], "attrition": [], "need": []}
        last = f"{horizon}m"
        for date in as_of:
            day = pd.Timestamp(date)
            truth = self.futures(day, n, horizon=horizon, lead=lead, random_state=random_state).mean()
            y = build_labels(self.tables, schema, day, horizon=horizon, lead=lead)
            churn, need = churn_target(y), need_target(y)
            realized = {
                "default": y["bad"].dropna(),
                "attrition": churn["event"].isin(schema.churn_causes),
                "need": need["event"].eq("need"),
            }
            names = ("pd_smooth", f"churn_{last}", f"need_probability_{last}")
            for (outcome, happened), name in zip(realized.items(), names, strict=True):
                both = pd.DataFrame({"y": happened.astype(float), "p": truth[name].reindex(happened.index)})
                parts[outcome].append(both.dropna())
        rows = {}
        for outcome, frames in parts.items():
            both = pd.concat(frames)
            y_all, p_all = both["y"].to_numpy(), both["p"].to_numpy()
            rows[outcome] = {
                "auc": auc(y_all, p_all),
                "brier": brier(y_all, p_all),
                "mean_true": p_all.mean(),
                "mean_realized": y_all.mean(),
                "n": len(both),
            }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("outcome")

    def _month(self, as_of: Any) -> int:
        """Return the number of the month that begins at `as_of`."""
        day, start = pd.Timestamp(as_of), self.book.start
        month = (day.year - start.year) * 12 + day.month - start.month
        if day != day.normalize() or day.day != 1 or not 1 <= month <= self.book.n_months:
            first, end = start + pd.DateOffset(months=1), start + pd.DateOffset(months=self.book.n_months)
            raise InvalidParameterError(
                f"as_of must be the first day of a month from {first.date()} to {end.date()}; got {as_of!r}."
            )
        return int(month)
