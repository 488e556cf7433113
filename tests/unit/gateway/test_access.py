"""Access: any one reason to refuse refuses, and nothing that a request says can widen what the directory gives."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curtilage.gateway.access import authorize, check_residency, readers_of, select_matter
from curtilage.gateway.identity import Caller
from curtilage.gateway.reasons import Reason, Refusal
from curtilage.matters.model import Confidentiality, Grant, Identity, IdentityKind, Matter, Membership, PersonalData, Snapshot

NOW = 1_800_000_000.0
LEVELS = list(Confidentiality)
REASONS = ("no member", "expired", "wall", "clearance", "closed", "shredded", "purpose", "hold", "inactive", "residency")


def build(*, broken: frozenset[str] = frozenset(), grant: Grant | None = None) -> tuple[Caller, Matter, Snapshot]:
    """A caller whom everything allows, but for what is broken."""
    identity = Identity(
        "jdoe",
        IdentityKind.PERSON,
        Confidentiality.INTERNAL if "clearance" in broken else Confidentiality.PRIVILEGED,
        "inactive" not in broken,
    )
    matter = Matter(
        id="M-1",
        jurisdiction="CH" if "residency" in broken else "DE",
        confidentiality=Confidentiality.PRIVILEGED,
        personal_data=PersonalData.PLACEHOLDER,
        legal_hold="hold" in broken,
        is_open="closed" not in broken,
        secret=b"s" * 32,
        purposes=frozenset({"audit"}) if "purpose" in broken else frozenset(),
        shredded_at=NOW if "shredded" in broken else None,
    )
    place = Membership(frozenset({"litigation"}) if "purpose" in broken else frozenset(), NOW - 1 if "expired" in broken else None)
    directory = Snapshot(
        version=1,
        identities={"jdoe": identity},
        keys={},
        matters={"M-1": matter},
        memberships={} if "no member" in broken else {"jdoe": frozenset({"M-1"})},
        walled_off=frozenset({("jdoe", "M-1")}) if "wall" in broken else frozenset(),
        places={("jdoe", "M-1"): place},
        grants=(grant,) if grant else (),
    )
    return Caller(identity, "k"), matter, directory


def decide(caller: Caller, directory: Snapshot, wanted: str | None = None, purpose: str | None = None) -> None:
    matter = select_matter(caller, wanted, directory, NOW)
    authorize(caller, matter, directory, purpose, NOW)
    check_residency(matter, "DE")


def test_who_is_no_member_is_refused_also_where_the_matter_was_not_selected_among_his_own() -> None:
    caller, matter, directory = build(broken=frozenset({"no member"}))
    with pytest.raises(Refusal) as refused:
        authorize(caller, matter, directory, None, NOW)
    assert refused.value.reason is Reason.MATTER_DENIED


def test_what_everything_allows_is_allowed() -> None:
    caller, _, directory = build()
    decide(caller, directory)


@pytest.mark.parametrize("broken", REASONS)
def test_each_reason_to_refuse_refuses_by_itself(broken) -> None:
    caller, _, directory = build(broken=frozenset({broken}))
    with pytest.raises(Refusal):
        decide(caller, directory)


@given(
    st.sets(st.sampled_from(REASONS), min_size=1),
    st.sampled_from([None, "M-1", "M-2", "", "*"]),
    st.sampled_from([None, "audit", "litigation", "", "*"]),
)
def test_any_reason_to_refuse_refuses_whatever_the_request_says(broken, wanted, purpose) -> None:
    caller, _, directory = build(broken=frozenset(broken))
    with pytest.raises(Refusal):
        decide(caller, directory, wanted, purpose)


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_request_only_selects_among_the_callers_matters(wanted, purpose) -> None:
    caller, _, directory = build()
    if wanted == "M-1":
        return
    with pytest.raises(Refusal) as refused:
        decide(caller, directory, wanted, purpose)
    assert refused.value.reason is Reason.MATTER_DENIED


GRANT = Grant("bg-1", "jdoe", "M-1", NOW + 60, "asmith", revoked=False)


@pytest.mark.parametrize("broken", [{"no member"}, {"clearance"}, {"no member", "clearance"}, {"expired"}])
def test_break_glass_stands_in_for_a_membership_and_a_clearance(broken) -> None:
    caller, matter, directory = build(broken=frozenset(broken), grant=GRANT)
    decide(caller, directory)
    assert authorize(caller, matter, directory, None, NOW).grant == GRANT


@pytest.mark.parametrize("broken", ["wall", "closed", "shredded", "hold", "inactive", "residency"])
def test_break_glass_opens_nothing_else(broken) -> None:
    caller, _, directory = build(broken=frozenset({broken}), grant=GRANT)
    with pytest.raises(Refusal):
        decide(caller, directory)


@pytest.mark.parametrize(
    "change", [{"approved_by": None}, {"revoked": True}, {"expires_at": NOW}, {"expires_at": None}, {"identity": "x"}, {"matter": "M-2"}]
)
def test_a_grant_that_is_not_approved_or_over_or_for_somebody_else_opens_nothing(change) -> None:
    caller, _, directory = build(broken=frozenset({"no member"}), grant=dataclasses.replace(GRANT, **change))
    with pytest.raises(Refusal):
        decide(caller, directory)


def test_a_purpose_is_selected_never_claimed() -> None:
    caller, matter, directory = build()
    bound = dataclasses.replace(matter, purposes=frozenset({"litigation", "audit"}))
    directory = dataclasses.replace(directory, matters={"M-1": bound})
    assert authorize(caller, bound, directory, "audit", NOW).purpose == "audit"
    for named in (None, "marketing", "audit,litigation", "AUDIT"):
        with pytest.raises(Refusal):
            authorize(caller, bound, directory, named, NOW)


def test_readers_are_those_who_could_call() -> None:
    _, matter, directory = build()
    assert readers_of(directory, matter, NOW) == ("jdoe",)
    _, matter, directory = build(broken=frozenset({"wall"}))
    assert readers_of(directory, matter, NOW) == ()
