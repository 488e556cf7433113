"""Every member state's numbers: found by label and check digit in any of the ways they are written down, and not by chance."""

# ruff: noqa: E501 - one case a line

from __future__ import annotations

import pytest

from curtilage.sanitize.detect import find
from curtilage.sanitize.patterns import default_patterns
from curtilage.sanitize.redact import redact_text
from curtilage.sanitize.sanitizer import Sanitizer

# (label, number): numbers made by an independent implementation of each state's check digit (python-stdnum).
LABELLED = [
    ("Abgabenkontonummer", "571205988"), ("EGN", "5409096774"), ("ЕГН", "8802185268"), ("TIC", "21369277O"), ("rodné číslo", "9301272937"),
    ("CVR", "77784438"), ("isikukood", "56601178790"), ("asmens kodas", "39903142548"), ("personas kods", "021076-21675"), ("AFM", "633191788"),
    ("ΑΦΜ", "537094190"), ("AMKA", "01036195285"), ("OIB", "21224506705"), ("matricule", "1945072731689"), ("NIP", "7311336036"),
    ("REGON", "425698313"), ("número de contribuinte", "288177010"), ("Cartão de Cidadão", "82467426 7 VH7"),
    ("organisationsnummer", "550713-4954"), ("EMŠO", "2206980504837"), ("tax number", "48931578"), ("BSN", "111222333"),
    ("codice fiscale", "RSSMRA85T10A562S"), ("codice fiscale", "RSSMRA 85T10 A562S"), ("partita IVA", "07643520567"), ("NHS number", "9434765919"),
]  # fmt: skip
FORMS = [
    "{label}: {number}", "The {label} is {number}.", "<td>{label}</td><td>{number}</td>", "{label};{number}", "His {label} ({number}) is known.",
    "{label}:\n{number}", "Die {label} lautet {number}.", '{{"{label}": "{number}"}}', "| {label} | {number} |", "{label}, namely {number}, is wrong.",
]  # fmt: skip
# No label: the check digit, and a date where there is one, say enough.
BARE = [
    "56601178790", "39903142548", "021076-21675", "5409096774", "9301272937", "01036195285", "1945072731689", "2206980504837",
    "82467426 7 VH7", "526-104-08-28",
]  # fmt: skip


def _left(text: str) -> str:
    return redact_text(text, Sanitizer(), b"k" * 32)[0]


@pytest.mark.parametrize("form", FORMS)
def test_a_states_number_is_found_behind_its_label_however_the_two_are_written(form) -> None:
    missed = [(label, number) for label, number in LABELLED if number in _left(form.format(label=label, number=number))]
    assert missed == []


@pytest.mark.parametrize("number", BARE)
def test_a_number_with_a_strong_check_digit_needs_no_label(number) -> None:
    assert number not in _left(f"We have {number} on file.")


CHECKED = [(label, number) for label, number in LABELLED if label in ("OIB", "AFM", "CVR", "NIP", "REGON", "tax number", "TIC", "BSN")]


@pytest.mark.parametrize(("label", "number"), CHECKED)
def test_behind_a_word_that_means_much_else_a_wrong_check_digit_is_no_find_across_a_sentence(label, number) -> None:
    last = number[-1]
    wrong = number[:-1] + (str((int(last) + 1) % 10) if last.isdigit() else chr((ord(last) - 64) % 26 + 65))
    apart = "{} stands for something that is explained in line {} of the form"
    assert find(apart.format(label, number), default_patterns()) != []
    assert find(apart.format(label, wrong), default_patterns()) == []


@pytest.mark.parametrize("text", ["Order no. 0496695491", "Rechnung Nr. 86210005265055", "build 9301272937", "Artikelnummer 0284444824"])
def test_a_row_of_digits_behind_the_name_of_something_else_stays(text) -> None:
    assert find(text, default_patterns()) == []


def test_eight_capitals_are_a_banks_code_where_banks_are_spoken_of_and_a_word_elsewhere() -> None:
    assert find("Use TRUNCATE and HISTSIZE here.", default_patterns()) == []
    assert [span.type for span in find("The transfer went through BARCGBTA.", default_patterns())] == ["BIC"]
    assert [span.type for span in find("Send it via DEUTDEFF today.", default_patterns())] == ["BIC"]


def test_a_key_that_is_an_abbreviation_is_read_as_its_label() -> None:
    tree = Sanitizer().clean({"KvK": "99299648", "kvkNummer": "11348017"}, _findings())
    assert "99299648" not in str(tree)
    assert "11348017" not in str(tree)


def _findings():
    from curtilage.sanitize.placeholders import Vault
    from curtilage.sanitize.sanitizer import Findings

    return Findings(Vault(b"k" * 32))
