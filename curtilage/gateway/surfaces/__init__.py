"""The vendors' wire dialects: what is accepted from a caller, what goes to the model, how answers and refusals look."""

from __future__ import annotations

from curtilage.gateway.surfaces.anthropic import Anthropic
from curtilage.gateway.surfaces.azure import AzureOpenAI, Foundry
from curtilage.gateway.surfaces.base import Asked, Call, Dialect, Operation, Route
from curtilage.gateway.surfaces.bedrock import Bedrock
from curtilage.gateway.surfaces.cohere import Cohere
from curtilage.gateway.surfaces.gemini import Gemini, Vertex
from curtilage.gateway.surfaces.mistral import Mistral
from curtilage.gateway.surfaces.open_connector import OpenConnector
from curtilage.gateway.surfaces.openai import OpenAI
from curtilage.gateway.surfaces.salesforce import Salesforce

# In the order in which a name that speaks any dialect tries them.
_KINDS = (OpenAI, Anthropic, OpenConnector, AzureOpenAI, Foundry, Gemini, Vertex, Bedrock, Cohere, Mistral, Salesforce)
SURFACES: dict[str, Dialect] = {kind.name: kind() for kind in _KINDS}

__all__ = ["SURFACES", "Asked", "Call", "Dialect", "Operation", "Route"]
