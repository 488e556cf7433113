"""What is spoken at a vendor's name: exact names and families, and nothing that only looks like one."""

from __future__ import annotations

import pytest

from curtilage.commands.region import INTERCEPT
from curtilage.gateway.surfaces import SURFACES
from curtilage.region import load_region
from curtilage.vendors import EXACT, dialect_of, usual_names


@pytest.mark.parametrize(
    ("name", "dialect"),
    [
        ("api.openai.com", "openai"), ("eu.api.openai.com", "openai"), ("legal.openai.azure.com", "azure"),
        ("legal.services.ai.azure.com", "foundry"), ("europe-west1-aiplatform.googleapis.com", "vertex"),
        ("bedrock-runtime.eu-central-1.amazonaws.com", "bedrock"), ("bedrock-runtime-fips.us-gov-west-1.amazonaws.com", "bedrock"),
        ("bedrock-mantle.us-east-1.api.aws", "bedrock"), ("aws-external-anthropic.us-east-1.api.aws", "anthropic"),
        ("openai.azure.com", "any"), ("a.b.openai.azure.com", "any"), ("api.openai.com.example", "any"),
        ("bedrock.us-east-1.amazonaws.com", "any"),
        ("evil-bedrock-runtime.us-east-1.amazonaws.com", "any"),
        ("gateway.lab.internal", "any"),
    ],
)  # fmt: skip
def test_a_name_speaks_its_vendors_dialect_and_no_other(name: str, dialect: str) -> None:
    assert dialect_of(name) == dialect


def test_every_dialect_that_is_named_is_there_and_the_lab_intercepts_each() -> None:
    assert set(usual_names().values()) | {"azure", "foundry"} == set(SURFACES) - {"open-connector"}
    names = load_region("lab").gateway.intercept
    assert {dialect_of(name) for name in names} == set(SURFACES) - {"open-connector"}
    assert set(EXACT) <= set(names)
    assert set(INTERCEPT) == set(EXACT)
