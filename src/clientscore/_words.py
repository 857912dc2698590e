"""Words that rooms side by side share, each written once: periods, causes, purposes."""

from __future__ import annotations

from typing import Literal

Period = Literal["month", "quarter", "year"]
PERIOD_MONTHS: dict[str, int] = {"month": 1, "quarter": 3, "year": 12}

#: Cause of the exit that no event tells: the accounts stay open, the business runs off.
SILENT = "silent_attrition"

#: Event of a client's first new drawing.
NEED = "need"

#: What new money is for.
PURPOSES = ("working_capital", "refinancing", "capex", "trade", "growth", "liquidity_stress")

#: Causes of an exit, and churn as their sum, in English and Chinese words.
CAUSE_WORDS: dict[str, tuple[str, str]] = {
    "churn": ("churn", "流失"),
    "hard_attrition": ("hard attrition", "显性流失"),
    SILENT: ("silent attrition", "隐性流失"),
    "default": ("default", "违约"),
    "scheduled_repayment": ("scheduled repayment", "到期结清"),
    "bank_exit": ("exit led by the bank", "银行主动退出"),
}


def cause_in_words(cause: str, lang: Literal["en", "zh"] = "en") -> str:
    """Return a cause of exit in plain words; one of your own with blanks for underscores.

    Examples
    --------
    >>> cause_in_words("silent_attrition", lang="zh")
    '隐性流失'
    >>> cause_in_words("merger_of_clients")
    'merger of clients'
    """
    if cause not in CAUSE_WORDS:
        return cause.replace("_", " ")
    return CAUSE_WORDS[cause][lang == "zh"]
