"""If this fails, a matter could be processed where no source says it may."""

from __future__ import annotations

import pytest

from curtilage.jurisdiction import DATA, Jurisdiction, jurisdictions, load_jurisdiction, may_process

COUNTRIES = ("DE", "FR", "IE", "NL", "IT", "ES", "CH", "UK", "US")
UNION = ("DE", "FR", "IE", "NL", "IT", "ES")


def test_every_file_loads_and_names_itself() -> None:
    assert {law.code for law in jurisdictions()} == {path.stem for path in DATA.glob("*.yaml")} == {*COUNTRIES, "EU", "EEA"}


@pytest.mark.parametrize("law", list(jurisdictions()), ids=lambda law: law.code)
def test_a_jurisdiction_cites_secrecy_and_says_what_nobody_read(law: Jurisdiction) -> None:
    assert law.secrecy
    assert law.not_read


@pytest.mark.parametrize("code", COUNTRIES)
def test_a_matter_may_stay_at_home(code: str) -> None:
    decision = may_process(code, code)
    assert decision.allowed
    assert decision.source


@pytest.mark.parametrize("matter", COUNTRIES)
@pytest.mark.parametrize("where", COUNTRIES)
def test_a_matter_leaves_its_country_only_within_the_union(matter: str, where: str) -> None:
    assert may_process(matter, where).allowed == (matter == where or (matter in UNION and where in UNION))


def test_a_german_matter_abroad_carries_the_condition_of_the_lawyers_act() -> None:
    assert any("§ 43e(4) BRAO" in condition for condition in may_process("DE", "FR").conditions)


def test_an_adequacy_decision_alone_opens_nothing() -> None:
    decision = may_process("DE", "CH")
    assert not decision.allowed
    assert "adequacy" in decision.basis


@pytest.mark.parametrize(("matter", "where"), [("XX", "DE"), ("DE", "XX"), ("DE", ""), ("", ""), ("DE", "EEA"), ("SE", "SE")])
def test_what_no_entry_names_is_refused(matter: str, where: str) -> None:
    assert not may_process(matter, where).allowed


def test_a_bloc_is_allowed_only_when_each_of_its_members_is() -> None:
    assert may_process("DE", "EU").allowed
    assert may_process("EU", "DE").allowed
    assert not may_process("CH", "EU").allowed
    assert not may_process("EU", "EEA").allowed


def test_the_kingdom_answers_to_both_of_its_codes() -> None:
    assert may_process("UK", "GB").allowed


def test_a_cloud_region_belongs_to_one_country() -> None:
    seen: dict[str, str] = {}
    for code in COUNTRIES:
        for name in load_jurisdiction(code).cloud_region_names():
            assert seen.setdefault(name, code) == code
    bloc = {name for code in UNION for name in load_jurisdiction(code).cloud_region_names()}
    assert bloc <= set(load_jurisdiction("EU").cloud_region_names())
