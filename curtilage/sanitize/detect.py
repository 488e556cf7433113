"""Finding personal data and secrets in one text: patterns and names over the folded text, overlaps resolved, spans in the original."""

# ruff: noqa: E501, SIM905 - a list of words is read as words

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence, Set
from typing import NamedTuple

from curtilage.sanitize.patterns import Pattern, PatternTable
from curtilage.sanitize.people import PERSON, find_people
from curtilage.sanitize.unicode import fold_with_offsets, original_span


class Span(NamedTuple):
    """A find: its type and where it is in the original text."""

    type: str
    start: int
    end: int


_NOT_AN_ADDRESS = re.compile(
    r"(?:section|sections|sect?\.|clauses?|article|art\.|§+|para(?:graph)?\.?|ziff(?:er)?\.?|abschnitt|version|versione|versión|release|v\.?|no\.|nr\.|ch\.|chapter|rule|sez\.|sección)\s*$",
    re.IGNORECASE,
)
_NUMERIC = frozenset(
    "PHONE FR_SIREN NL_BSN DE_TAX_ID FR_TAX_ID CREDIT_CARD PL_PESEL RO_CNP POSTCODE UK_NHS US_SSN BANK_ACCOUNT BE_NRN AT_SVNR".split()
)
_AMOUNT_AFTER = re.compile(
    r"(?:[.,]\d{2})?\s?(?:€|£|\$|¥|%|(?:EUR|USD|CHF|GBP|JPY|SEK|NOK|DKK|PLN|euros?|dollars?|Franken|francs|pounds|Mio|Mrd|millions?|billions?|milioni|millones|units?|shares|Aktien|actions|azioni|acciones"
    r"|Stück|pieces|pages|Seiten|words|tokens|km|kg|m²|m2|kWh|MWh|bytes|rows|records)\b)",
    re.IGNORECASE,
)
_AMOUNT_BEFORE = re.compile(r"(?:€|£|\$|¥|\b(?:EUR|USD|CHF|GBP|JPY|SEK|NOK|DKK|PLN))\s?$", re.IGNORECASE)
_BANKING = re.compile(
    r"\b(?:bic|swift|iban|bank\w*|banque\w*|banc[ao]\w*|wire\w*|transfer\w*|überweis\w*|konto\w*|zahl\w*|virement\w*|virer|compte\w*|bonific\w*|conto|transf[eé]r\w*|trasf\w*|cuenta\w*|payment\w*|account\w*|pagament\w*|pago\w*|paiement\w*|intermediary|correspondent)\b",
    re.IGNORECASE,
)
# A row of digits behind such a word is that thing's number, whatever its check digit says by chance.
_BARE = frozenset(
    "PHONE FR_SIREN FR_TAX_ID DE_TAX_ID PL_PESEL PL_CARD RO_CNP CZ_RODNE BG_EGN EE_LT_PERSONAL GR_AMKA SI_EMSO NO_BIRTH IS_KENNITALA LU_MATRICULE US_EIN".split()
)
_OTHER_NUMBER = re.compile(
    r"(?:\b(?:order|invoice|serial|tracking|ticket|sku|part|lot|batch|build|page|item|article|product|timestamp|bestell\w*|auftrag\w*|rechnung\w*|artikel\w*|serien\w*|sendung\w*|inventar\w*|seite|charge"
    r"|commande|facture|série|suivi|colis|lot|page|ordine|fattura|serie|articolo|spedizione|lotto|pagina|pedido|factura|artículo|envío|lote|página)(?:[ \-](?:no|nr|number|code|nummer|n))?[.°º]{0,2}|#)[\s:#=°º.]{0,3}$",
    re.IGNORECASE,
)
_GROUPS_BEFORE = re.compile(r"\d[ .,]$")


def find(
    text: str,
    patterns: Sequence[Pattern],
    *,
    people: bool = False,
    known: Set[str] = frozenset(),
    extra: Iterable[Span] = (),
    folded_text: tuple[str, list[int] | None] | None = None,
) -> list[Span]:
    """Every find, left to right, without overlaps: the longest wins, then the earlier pattern; what sticks out of it is kept as well.

    Args:
        text: the original text.
        patterns: what is found by shape.
        people: also names of people.
        known: words that were part of a name earlier in the call.
        extra: finds made elsewhere, e.g. by the matter's dictionary.
        folded_text: the text folded with its offsets, where the caller has it already.
    """
    folded, offsets = folded_text or fold_with_offsets(text)
    found: list[tuple[int, int, int, str]] = []
    ranks = patterns.candidates(folded) if isinstance(patterns, PatternTable) else range(len(patterns))
    for rank in ranks:
        pattern = patterns[rank]
        group = 1 if pattern.regex.groups else 0
        for match in pattern.regex.finditer(folded):
            start, end = match.span(group)
            if pattern.check is not None:
                length = pattern.check(folded[start:end])
                if length is None:
                    continue
                end = start + length
            if start < end and not _explained(folded, pattern.type, start, end):
                found.append((start, end, rank, pattern.type))
    if people:
        found += [(start, end, len(patterns), PERSON) for start, end in find_people(folded, known)]
    spans = [Span(type_, *original_span(offsets, start, end)) for start, end, _, type_ in _without_overlaps(found)] if found else []
    more = list(extra)
    return _merge(more, spans) if more else spans


def _explained(text: str, type_: str, start: int, end: int) -> bool:
    """Whether the words around say that a number is something else."""
    if type_ == "IP_ADDRESS":
        return _NOT_AN_ADDRESS.search(text, max(0, start - 16), start) is not None
    if type_ == "BIC":  # eight or eleven capitals are a bank's code where banks are spoken of, else a word
        sure = text[start + 6] == text[start + 7] or text.endswith("XXX", start, end)  # a place such as FF, PP, MM, ZZ
        return text[start:end].isalpha() and not sure and _BANKING.search(text) is None
    if type_ in _BARE and text[start:end].replace(" ", "").isalnum() and _OTHER_NUMBER.search(text, max(0, start - 28), start):
        return True
    if type_ not in _NUMERIC:
        return False
    if _AMOUNT_AFTER.match(text, end) or _AMOUNT_BEFORE.search(text, max(0, start - 5), start):
        return True
    # The tail of a longer row of digit groups is no number of its own.
    return type_ in ("PHONE", "FR_SIREN") and text[start] != "+" and _GROUPS_BEFORE.search(text, max(0, start - 2), start) is not None


def _without_overlaps(found: list[tuple[int, int, int, str]]) -> list[tuple[int, int, int, str]]:
    """Cluster by cluster: finds that share no letter, also not through others, have nothing to settle."""
    settled: list[tuple[int, int, int, str]] = []
    cluster: list[tuple[int, int, int, str]] = []
    reach = 0
    for item in sorted(found):
        if cluster and item[0] >= reach:
            settled += _settle(cluster)
            cluster = []
        cluster.append(item)
        reach = max(reach, item[1])
    return settled + _settle(cluster)


def _settle(found: list[tuple[int, int, int, str]]) -> list[tuple[int, int, int, str]]:
    kept: list[tuple[int, int, int, str]] = []
    for start, end, rank, type_ in sorted(found, key=lambda item: (item[0] - item[1], item[2], item[0])):
        low, high = start, end
        for other in kept:
            if other[0] <= low < other[1]:
                low = other[1]
            if other[0] < high <= other[1]:
                high = other[0]
        # Only what a longer find leaves uncovered; a scrap of it is not worth a token.
        if high - low >= (end - start if (low, high) == (start, end) else 4) and low < high:
            kept.append((low, high, rank, type_))
    return sorted(kept)


def _merge(first: list[Span], spans: list[Span]) -> list[Span]:
    """Finds of the dictionary go first; others keep what they do not share with them."""
    items = [(span.start, span.end, 0, span.type) for span in first] + [(span.start, span.end, 1, span.type) for span in spans]
    return [Span(type_, start, end) for start, end, _, type_ in _without_overlaps(items)]
