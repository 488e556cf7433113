"""The only type that may name an outbound destination.

A region without allowances has no destination outside its segments. An allowance is a narrow, owned, dated exception: who answers for it,
why it exists and when it ends. It deliberately has no default, no wildcard and no way to be open-ended.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

Network = IPv4Network | IPv6Network
Port = Annotated[int, Field(ge=1, le=65535, strict=True)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,38}[a-z0-9]$")]
Text = Annotated[str, Field(min_length=3, max_length=400, pattern=r"^[^\x00-\x1f\x7f\"\\]+$")]
"""Free text that is safe inside a comment of a ruleset or a unit file: no control characters, quotes or backslashes."""

WIDEST_PREFIX = {4: 24, 6: 48}
"""An allowance names a destination, not a part of the internet; two halves of 0.0.0.0/0 would be everything again."""

NOT_A_DESTINATION: tuple[tuple[Network, str], ...] = (
    (IPv4Network("0.0.0.0/8"), "this network"),
    (IPv4Network("127.0.0.0/8"), "loopback"),
    (IPv4Network("169.254.0.0/16"), "link-local, where cloud metadata answers"),
    (IPv4Network("224.0.0.0/4"), "multicast"),
    (IPv4Network("240.0.0.0/4"), "reserved and broadcast"),
    (IPv6Network("::/96"), "unspecified, loopback and IPv4-compatible"),
    (IPv6Network("::ffff:0:0/96"), "IPv4-mapped, so it hides an IPv4 destination"),
    (IPv6Network("64:ff9b::/96"), "NAT64, so it hides an IPv4 destination"),
    (IPv6Network("64:ff9b:1::/48"), "NAT64, so it hides an IPv4 destination"),
    (IPv6Network("2001::/32"), "Teredo, a tunnel"),
    (IPv6Network("2002::/16"), "6to4, a tunnel"),
    (IPv4Network("100.100.100.200/32"), "where cloud metadata answers"),
    (IPv4Network("168.63.129.16/32"), "where cloud metadata answers"),
    (IPv4Network("192.88.99.0/24"), "6to4, a tunnel"),
    (IPv6Network("fd00:ec2::/32"), "where cloud metadata answers"),
    (IPv6Network("fd20:ce::/32"), "where cloud metadata answers"),
    (IPv6Network("fe80::/10"), "link-local"),
    (IPv6Network("ff00::/8"), "multicast"),
)


def as_written(value: object) -> object:
    """A network as text: YAML reads ``134744072`` and ``1:20`` as numbers, and a number is an address to Python.

    Raises:
        PydanticCustomError: it is another kind of value.
    """
    if isinstance(value, str | IPv4Network | IPv6Network):
        return value
    raise refusal(f"{value!r}", rule="a network is text, address/prefix", fix="write it in quotes, such as '198.51.100.9/32'")


class Role(StrEnum):
    """What a host is for; decides its flows."""

    GPU = "gpu"
    GATEWAY = "gateway"
    CRM = "crm"
    EVIDENCE = "evidence"


def refusal(given: str, *, rule: str, fix: str, key: str = "") -> PydanticCustomError:
    """A validator's refusal that keeps what was given, the rule and the fix apart, for :class:`curtilage.errors.ConfigError`."""
    return PydanticCustomError(
        "curtilage_rule", "{given}; rule: {rule}; fix: {fix}", {"given": given, "rule": rule, "fix": fix, "key": key}
    )


def today() -> date:
    """Today in UTC: an allowance must not live longer in one office than in another."""
    return datetime.now(tz=UTC).date()


class Allowance(BaseModel):
    """One destination outside the segments that hosts of one role may reach, until a date."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Name
    destination: Annotated[Network, BeforeValidator(as_written)]
    protocol: Literal["tcp", "udp"]
    ports: Annotated[tuple[Port, ...], Field(min_length=1, max_length=16)]
    from_role: Role
    owner: Text
    reason: Annotated[Text, Field(min_length=10)]
    expires: date

    @model_validator(mode="after")
    def _is_narrow_and_alive(self, info: ValidationInfo) -> Self:
        widest = WIDEST_PREFIX[self.destination.version]
        if self.destination.prefixlen < widest:
            raise refusal(
                f"allowance '{self.id}' names {self.destination}",
                rule=f"an IPv{self.destination.version} destination is a /{widest} or narrower; a whole address family is never allowed",
                fix="name the address of the service that is needed",
                key="destination",
            )
        for network, what in NOT_A_DESTINATION:
            if network.version == self.destination.version and network.overlaps(self.destination):
                raise refusal(
                    f"allowance '{self.id}' names {self.destination}, which is {what}",
                    rule="an allowance names a unicast destination that is what it looks like",
                    fix="name the service's own unicast address",
                    key="destination",
                )
        if len(set(self.ports)) != len(self.ports):
            raise refusal(f"allowance '{self.id}' repeats a port", rule="each port is named once", fix="remove the repetition", key="ports")
        as_of: date = (info.context or {}).get("as_of") or today()
        if self.expired(as_of):
            raise refusal(
                f"allowance '{self.id}' of {self.owner} expired on {self.expires.isoformat()} (today is {as_of.isoformat()})",
                rule="an expired allowance fails the plan",
                fix="remove it, or have its owner renew it with a later date and a fresh reason",
                key="expires",
            )
        return self

    def expired(self, as_of: date) -> bool:
        """Whether the allowance no longer holds on a day; it holds through its last day."""
        return self.expires < as_of
