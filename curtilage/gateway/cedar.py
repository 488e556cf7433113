"""The owner's own policies in Cedar, beside the typed rules and never instead of them: they can refuse what the rules allow, not more.

A Cedar policy that errs is skipped, so a ``forbid`` that reads an attribute which is not there would not forbid: the answer is then still
Allow, with the error in its diagnostics. Here any error is a refusal. What policies see comes from the directory, never from the prompt::

    principal  Curtilage::Identity::"jdoe"      kind, clearance (0 public … 3 privileged)
    action     Curtilage::Action::"call"
    resource   Curtilage::Matter::"M-2026-1"    jurisdiction, confidentiality (0 … 3), legal_hold, personal_data
    context    surface, model, purpose ("" when none), break_glass, region, jurisdiction
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from curtilage.errors import ConfigError
from curtilage.gateway.access import Access
from curtilage.gateway.identity import Caller
from curtilage.gateway.reasons import Reason, Refusal
from curtilage.matters.model import Matter

_DENIED = "the owner's policies refuse this call; ask who keeps them"


class CedarPolicies:
    """Policies from ``*.cedar`` files.

    Args:
        directory: where they are; all of them together decide.
        region: the region's name.
        jurisdiction: where it stands.

    Raises:
        ConfigError: there is none, one does not parse, or the engine is not installed.
    """

    def __init__(self, directory: Path, region: str, jurisdiction: str) -> None:
        try:
            import cedarpy
        except ImportError:
            raise ConfigError(
                "cedarpy is not installed", rule="policies are read by Cedar's own engine", fix="install curtilage[cedar]", key="policies"
            ) from None
        self._engine: Any = cedarpy
        self._region, self._jurisdiction = region, jurisdiction
        files = sorted(directory.glob("*.cedar"))
        if not files:
            raise ConfigError(
                "no *.cedar file", rule="policies names a directory with one at least", fix="add one, or remove the key", file=directory
            )
        try:
            for file in files:
                cedarpy.PolicySet.from_str(file.read_text(encoding="utf-8"))
            self._policies: Any = cedarpy.PolicySet.from_str("\n".join(file.read_text(encoding="utf-8") for file in files))
        except (OSError, ValueError) as error:
            raise ConfigError(str(error), rule="a file of Cedar policies", fix="cedar check-parse shows where", file=file) from error

    def check(self, caller: Caller, matter: Matter, access: Access, surface: str, model: str) -> None:
        """Refuse unless the policies allow, without one error."""
        identity = caller.identity
        principal = {"type": "Curtilage::Identity", "id": identity.id}
        resource = {"type": "Curtilage::Matter", "id": matter.id}
        request = {
            "principal": _name(principal),
            "action": 'Curtilage::Action::"call"',
            "resource": _name(resource),
            "context": {
                "surface": surface,
                "model": model,
                "purpose": access.purpose,
                "break_glass": access.grant is not None,
                "region": self._region,
                "jurisdiction": self._jurisdiction,
            },
        }
        entities = [
            {"uid": principal, "attrs": {"kind": identity.kind.value, "clearance": identity.clearance.rank}, "parents": []},
            {
                "uid": resource,
                "attrs": {
                    "jurisdiction": matter.jurisdiction,
                    "confidentiality": matter.confidentiality.rank,
                    "legal_hold": matter.legal_hold,
                    "personal_data": matter.personal_data.value,
                },
                "parents": [],
            },
        ]
        try:
            result = self._engine.is_authorized(request, self._policies, entities)
            allowed = result.decision == self._engine.Decision.Allow and not result.diagnostics.errors
        except Exception:  # noqa: BLE001 - whatever the engine stumbles over, it has not allowed the call
            allowed = False
        if not allowed:
            raise Refusal(Reason.POLICY_DENIED, _DENIED)


def _name(entity: dict[str, str]) -> str:
    escaped = entity["id"].replace("\\", "\\\\").replace('"', '\\"')
    return f'{entity["type"]}::"{escaped}"'
