"""The vendors' names and what is spoken at each: exact names, and families whose names carry a resource, a region or a location.

A region lists the names it intercepts, one by one; nothing here opens or answers anything by itself. Sources: the vendors' API references
and the SDKs' own defaults, read 2026-11.
"""

from __future__ import annotations

import re

OPENAI, ANTHROPIC, AZURE, FOUNDRY, GEMINI = "openai", "anthropic", "azure", "foundry", "gemini"
VERTEX, BEDROCK, COHERE, MISTRAL, SALESFORCE = "vertex", "bedrock", "cohere", "mistral", "salesforce"

EXACT: dict[str, str] = {
    "api.openai.com": OPENAI,
    **{f"{place}.api.openai.com": OPENAI for place in ("us", "eu", "au", "jp", "in", "ae")},
    **{f"{place}.api.openai.com": OPENAI for place in ("mtls", "mtls-us", "mtls-eu")},
    "api.anthropic.com": ANTHROPIC,
    "claude.googleapis.com": ANTHROPIC,
    "generativelanguage.googleapis.com": GEMINI,
    "aiplatform.googleapis.com": VERTEX,
    "aiplatform.us.rep.googleapis.com": VERTEX,
    "aiplatform.eu.rep.googleapis.com": VERTEX,
    "api.cohere.com": COHERE,
    "api.cohere.ai": COHERE,
    "api.mistral.ai": MISTRAL,
    "api.eu.mistral.ai": MISTRAL,
    "api.us.mistral.ai": MISTRAL,
    "api.salesforce.com": SALESFORCE,
    "api.gov.salesforce.com": SALESFORCE,
}
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_AWS_REGION = r"[a-z]{2}(?:-[a-z]+)+-\d"
FAMILIES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(rf"{_LABEL}\.openai\.azure\.(?:com|us)"), AZURE),
    (re.compile(rf"{_LABEL}\.cognitiveservices\.azure\.com"), AZURE),
    (re.compile(rf"{_LABEL}\.services\.ai\.azure\.com"), FOUNDRY),
    (re.compile(r"[a-z]+(?:-[a-z]+)*\d*-aiplatform\.googleapis\.com"), VERTEX),
    (re.compile(rf"bedrock-runtime(?:-fips)?\.{_AWS_REGION}\.(?:amazonaws\.com|api\.aws)"), BEDROCK),
    (re.compile(rf"bedrock-mantle\.{_AWS_REGION}\.api\.aws"), BEDROCK),
    (re.compile(rf"aws-external-anthropic\.{_AWS_REGION}\.api\.aws"), ANTHROPIC),
)
_AWS_REGIONS = (
    *("us-east-1", "us-east-2", "us-west-2", "eu-central-1", "eu-west-1", "eu-west-2", "eu-west-3", "eu-north-1", "eu-south-1"),
    *("eu-central-2", "ca-central-1", "ap-northeast-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2"),
)
_LOCATIONS = (
    *("us-central1", "us-east1", "us-east4", "us-east5", "us-west1", "europe-west1", "europe-west2", "europe-west3", "europe-west4"),
    *("europe-west6", "europe-west8", "europe-west9", "europe-southwest1", "europe-north1", "asia-northeast1", "asia-southeast1"),
)


def dialect_of(name: str) -> str:
    """What is spoken at a name; ``any`` where the path has to tell."""
    return EXACT.get(name) or next((dialect for family, dialect in FAMILIES if family.fullmatch(name)), "any")


def usual_names() -> dict[str, str]:
    """The names a gateway alone answers for: every exact one, Bedrock's regions and Vertex's locations. Resources of Azure are the
    owner's own and have to be named.
    """
    families = [f"bedrock-runtime.{region}.amazonaws.com" for region in _AWS_REGIONS]
    families += [f"{location}-aiplatform.googleapis.com" for location in _LOCATIONS]
    return EXACT | {name: dialect_of(name) for name in families}
