"""If these fail, a plan writes the comment that judges it: a hostile name becomes markup, a secret is shown, or the comment is refused."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from curtilage.review.commands import comment
from curtilage.review.judge import judge
from curtilage.review.markdown import COMMENT_LIMIT, code, render
from curtilage.review.model import Change, Delta, Policies, Proof, RegionReview, Review, Severity
from curtilage.review.plans import planned_of
from curtilage.review.redact import SECRET, SIGNATURE, Redactor, is_secret_name, secrets_of
from curtilage.review.strike import strike
from curtilage.verdict import Verdict
from tests.sabotage.aws.mutations import everyone
from tests.sabotage.aws.plans import document, sealed_region

HOSTILE = [
    "x` **PASS** `y",
    "``` \n# heading",
    "</code></details><script>alert(1)</script>",
    "@everyone #1 org/repo#2",
    "[click](https://example.test)",
    "a|b|c",
    "line\r\n\r\n| 🟢 | all | none |",
    "\u202egnp.exe",
    "zero\u200bwidth\x1b[31m",
    "`",
    "",
    "<!-- -->",
    "![x](https://example.test/x.png)",
]


def spans(line: str) -> str:
    """A line with its code spans taken out, as CommonMark finds them: what is left is what would be rendered as markup."""
    rest, out = line, ""
    while match := re.search(r"`+", rest):
        out += rest[: match.start()]
        after = rest[match.end() :]
        close = re.search(rf"(?<!`)`{{{len(match[0])}}}(?!`)", after)
        if close is None:
            return out + rest[match.start() :]
        rest = after[close.end() :]
    return out + rest


def region(name: str = "r", changes: tuple[Change, ...] = (), **delta: Any) -> RegionReview:
    return RegionReview(
        region=name,
        status="changed",
        platform="hosts",
        digests=("sha256:" + "0" * 64, "sha256:" + "1" * 64),
        changes=changes,
        delta=Delta(**delta),
        policies=Policies(verdict=Verdict.PASS),
        proof=Proof(verdict=Verdict.PASS),
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_a_code_span_holds_any_text_on_one_line(name: str) -> None:
    shown = code(name)
    assert "\n" not in shown
    assert "\r" not in shown
    assert spans(f"a {shown} b") == "a  b"
    assert all(char.isprintable() for char in shown)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text_everywhere(name: str) -> None:
    change = Change(operation="create", type=name or "t", name=name, urn="urn", properties=(name,))
    found = region(name, (change,), denies_removed=[name], names_added=[name], undecided=[name], allowances_added=[name])
    text = render(Review(regions=(found,)))
    plain = render(Review(regions=(region("r", (Change(operation="create", type="t", name="n", urn="u", properties=("p",)),),
                                          denies_removed=["n"], names_added=["n"], undecided=["n"], allowances_added=["n"]),)))  # fmt: skip
    outside = [re.sub(r"<code>[^<]*</code>", "<code></code>", spans(line)) for line in text.splitlines()]
    expected = [re.sub(r"<code>[^<]*</code>", "<code></code>", spans(line)) for line in plain.splitlines()]
    assert outside == expected, "nothing but the code spans differs from the comment about a plain name"
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 8 for row in rows), "no cell is added"


def test_the_comment_fits_whatever_the_review_holds() -> None:
    many = tuple(Change(operation="update", type="t" * 90, name=f"{n}" * 50, urn=f"u{n}", properties=("p" * 50,) * 12) for n in range(500))
    for regions in (1, 40, 3000):
        review = Review(regions=tuple(region(f"region-{n}-" + "x" * 40, many if regions < 3000 else ()) for n in range(regions)))
        text = render(review)
        assert len(text.encode()) <= COMMENT_LIMIT
        assert len(text) <= COMMENT_LIMIT
        assert "Curtilage review" in text
        assert "more" in text


def test_a_comment_that_is_cut_keeps_the_worst_regions() -> None:
    bad = region("worst", names_added=["evil.example"])
    fine = tuple(region(f"fine-{n}") for n in range(2000))
    text = render(Review(regions=(bad, *fine)), limit=8000)
    assert "`worst`" in text
    assert re.search(r"\d+ more regions", text)
    assert len(text.encode()) <= 8000


def test_small_reviews_are_shown_whole() -> None:
    text = render(Review(regions=(region("r", denies_removed=[f"deny {n}" for n in range(50)]),)))
    assert text.count("`deny ") == 50
    assert "Shortened" not in text


@pytest.mark.parametrize(
    "key", ["password", "dbPassword", "client_secret", "secretString", "API_KEY", "privateKey", "token", "userData", "pwd"]
)
def test_keys_named_like_secrets_are_known(key: str) -> None:
    assert is_secret_name(key)


@pytest.mark.parametrize("key", ["httpTokens", "secretArn", "passwordPolicy", "keyId", "name", "tokenless", "secretName", ""])
def test_keys_that_only_sound_like_secrets_are_not(key: str) -> None:
    assert not is_secret_name(key)


def test_secrets_are_struck_from_every_sentence_of_the_comment_and_the_document() -> None:
    marked, keyed, nested = "hunter2-marked", "hunter2-keyed", "hunter2-nested"
    stack = sealed_region()
    # Each stands in a place that a finding or a witness quotes.
    stack["own-names"]["domains"].append(f"{marked}.example.")
    stack["dns-block"]["action"] = "ALERT"
    stack["s3"]["policy"] = document(everyone("s3:PutObject", f"arn:aws:s3:::{keyed}/*"))
    stack.add("aws:cloudwatch/logGroup:LogGroup", f"group-{nested}", masterPassword=keyed)
    stack.add("aws:ssm/parameter:Parameter", "parameter", value={SIGNATURE: SECRET, "plaintext": json.dumps(marked)},
              more={SIGNATURE: SECRET, "plaintext": json.dumps({"deep": [nested]})})  # fmt: skip
    old, new = planned_of(sealed_region().preview()), planned_of(stack.preview())
    redactor = Redactor(secrets_of(new.document))
    found = judge({old.region: old}, {new.region: new})
    unredacted = render(found)
    assert any(secret in unredacted for secret in (marked, keyed, nested)), "the test has no teeth without a quoted secret"
    shown = comment(found, redactor)
    told = json.dumps(redactor.everything(found.document()))
    for secret in (marked, keyed, nested):
        assert secret not in shown
        assert secret not in told
    assert "(secret)" in shown


@pytest.mark.parametrize(
    "text",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
        "password=correcthorse",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefghij",
        "token: abcdef123456",
    ],
)
def test_what_looks_like_a_secret_is_struck_wherever_it_stands(text: str) -> None:
    found = strike(Review(regions=(region("r", denies_removed=[f"inet t c: {text} drop"]),)), Redactor(()))
    shown = render(found)
    for part in re.split(r"[\s=:]+", text):
        if len(part) > 8 and part not in ("password", "BEGIN", "PRIVATE"):
            assert part not in shown


def test_a_secret_that_is_shortened_is_not_shown_in_part() -> None:
    secret = "s3cr3t-" + "z" * 400
    shown = comment(Review(regions=(region("r", undecided=["reason: " + secret]),)), Redactor([secret]))
    assert "s3cr3t" not in shown


def test_severity_of_a_review_is_its_worst_regions() -> None:
    calm, loud = region("a"), region("b", denies_removed=["x"])
    assert Review(regions=(calm,)).severity is Severity.GREEN
    assert Review(regions=(calm, loud)).severity is Severity.RED
