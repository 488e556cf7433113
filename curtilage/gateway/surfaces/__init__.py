"""The vendors' wire dialects: what is accepted from a caller, what goes to the model, how answers and refusals look."""

from __future__ import annotations

from curtilage.gateway.surfaces.anthropic import Anthropic
from curtilage.gateway.surfaces.base import Call, Route, Surface
from curtilage.gateway.surfaces.open_connector import OpenConnector
from curtilage.gateway.surfaces.openai import OpenAI

SURFACES: dict[str, Surface] = {surface.name: surface for surface in (OpenAI(), Anthropic(), OpenConnector())}

__all__ = ["SURFACES", "Call", "Route", "Surface"]
