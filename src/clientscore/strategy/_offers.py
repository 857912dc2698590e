"""Gates and products: what may be offered to whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ._explain import WORDS, Language, missing_texts
from ._rules import Columns, all_true

if TYPE_CHECKING:
    from ._parts import Guardrail, Parts

_UNLIKELY, _LIKELY, _UNKNOWN = 0, 1, 2


@dataclass(frozen=True)
class Gate:
    """Which guardrails stop what, as bits of a code per client; odd bits: not evaluated."""

    code: np.ndarray
    stops: dict[str, np.ndarray]
    asked: tuple[Guardrail, ...]

    def stopped(self, *kinds: str) -> np.ndarray:
        """Return for whom one of the kinds is stopped."""
        result = np.zeros(len(self.code), dtype=bool)
        for kind in kinds:
            if kind in self.stops:
                result |= self.stops[kind]
        return result


def open_gates(parts: Parts, columns: Columns, n: int) -> Gate:
    """Ask every guardrail; one that cannot be evaluated blocks, an optional one only where asked."""
    asked = tuple(
        guardrail
        for guardrail in parts.guardrails
        if not guardrail.optional or all(columns[c.column].present for c in guardrail.allow)
    )
    code = np.zeros(n, dtype=np.int64)
    stops: dict[str, np.ndarray] = {}
    for bit, guardrail in enumerate(asked):
        passes, unknown = all_true(guardrail.allow, columns, n)
        code |= (~passes & ~unknown).astype(np.int64) << (2 * bit)
        code |= unknown.astype(np.int64) << (2 * bit + 1)
        for kind in guardrail.blocks:
            stops[kind] = stops.get(kind, np.zeros(n, dtype=bool)) | ~passes
    return Gate(code, stops, asked)


def offer_products(parts: Parts, columns: Columns, gate: Gate, n: int) -> tuple[list[str], np.ndarray]:
    """Choose products once per combination of industry, segment, purpose, product, need, layer and stops."""
    need = columns["need_probability_12m"].values
    state = np.where(np.isnan(need), _UNKNOWN, need >= parts.settings["offer_probability"]).astype(np.intp)
    single = [name for name in gate.stops if name in parts.products]
    barred = np.zeros(n, dtype=np.intp)
    for bit, name in enumerate(single):
        barred |= gate.stops[name].astype(np.intp) << bit
    names = ("industry", "segment", "need_purpose", "need_product", "service_layer")
    keys = [state, gate.stopped("products").astype(np.intp), barred]
    keys += [columns[name].values + 1 for name in names]
    sizes = [3, 2, 2 ** len(single)] + [len(columns[name].words) + 1 for name in names]
    found, inverse = np.unique(np.ravel_multi_index(keys, sizes), return_inverse=True)
    texts = []
    for combination in np.column_stack(np.unravel_index(found, sizes)).tolist():
        likely, stopped, pattern, *codes = combination
        words = [
            columns[name].words[code - 1] if code else None for name, code in zip(names, codes, strict=True)
        ]
        without = {name for bit, name in enumerate(single) if pattern >> bit & 1}
        texts.append("" if stopped else "; ".join(choose_products(parts, likely, *words, without=without)))
    return [texts[i] for i in inverse.tolist()], state


def choose_products(
    parts: Parts,
    state: int,
    industry: str | None,
    segment: str | None,
    purpose: str | None,
    product: str | None,
    layer: str | None,
    *,
    without: set[str],
) -> list[str]:
    """Return the products for one kind of client: by need where one is likely, else by industry."""
    limit = int(parts.layers[layer].more["max_products"]) if layer in parts.layers else 0
    if state == _UNLIKELY:
        base = parts.everyday
    else:
        own = parts.segments.get(segment or "")
        base = parts.industries.get(industry or "", parts.industries["other"]) if own is None else own
    if state == _LIKELY and purpose is not None:
        fits = [name for name in base if purpose in parts.products[name].more["purposes"]] or base
        first = [product] if product in parts.products else []
        base = list(dict.fromkeys([*first, *fits]))
    return [name for name in base if name not in without][: limit or 3]


def offer_texts(columns: Columns, gate: Gate, state: np.ndarray, lang: Language) -> list[str]:
    """Say why products are offered, or which guardrails stop them."""
    words = WORDS[lang]
    found, inverse = np.unique(gate.code * 3 + state, return_inverse=True)
    texts = []
    for key in found.tolist():
        pattern, need = divmod(key, 3)
        stops = stop_texts(columns, gate, pattern, ("products",), lang)
        reason = words[("unlikely", "likely", "need_unknown")[need]]
        texts.append(words["no_offers"].format("; ".join(stops)) if stops else reason)
    return [texts[i] for i in inverse.tolist()]


def stop_texts(
    columns: Columns, gate: Gate, pattern: int, kinds: tuple[str, ...], lang: Language
) -> list[str]:
    """Name the guardrails that stop one of the kinds for clients with this code."""
    stops = []
    for bit, guardrail in enumerate(gate.asked):
        if not set(kinds) & set(guardrail.blocks):
            continue
        if pattern >> (2 * bit) & 1:
            stops.append(guardrail.text_zh if lang == "zh" else guardrail.text)
        if pattern >> (2 * bit + 1) & 1:
            rows = np.flatnonzero(gate.code == pattern)[:1]
            names = sorted({condition.column for condition in guardrail.allow})
            stops.append(f"{guardrail.name} {missing_texts(names, columns, rows, lang)[0]}")
    return stops
