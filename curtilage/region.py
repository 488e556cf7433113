"""A region: one file in ``stacks/``, parsed by :func:`load_region` alone.

The plan, the proof, the roles and the probes all derive from this one object, so whatever it accepts is what gets built. It therefore
refuses rather than repairs: unknown keys, public or overlapping segments, addresses in the wrong place, mutable images, expired allowances.
Nothing derived is written here twice; derived facts are functions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from curtilage.allowance import Allowance, Name, Role, Text, refusal
from curtilage.canonical import canonical_json
from curtilage.errors import ConfigError
from curtilage.jurisdiction import load_jurisdiction
from curtilage.region_aws import AwsSettings, check_aws
from curtilage.region_hosts import Host, Operator, Segment, check_hosts, check_operators, check_pair, refuse_repeats, repeated_of
from curtilage.region_kubernetes import KubernetesSettings, check_kubernetes
from curtilage.region_parts import CPU_CARD, GPU_NODES, IMAGE, DnsName, Part
from curtilage.stackfile import config_error, read_stack, shown, stack_path
from curtilage.vendor_models import Task

__all__ = ["CPU_CARD", "GPU_NODES", "LAB", "Host", "Model", "Operator", "Platform", "Region", "Segment", "load_region"]

LAB = "lab"


_PRIVATE: tuple[IPv4Network | IPv6Network, ...] = (
    IPv4Network("10.0.0.0/8"),
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv6Network("fc00::/7"),
)
_DOCUMENTATION: tuple[IPv4Network | IPv6Network, ...] = (
    IPv4Network("192.0.2.0/24"),
    IPv4Network("198.51.100.0/24"),
    IPv4Network("203.0.113.0/24"),
    IPv6Network("2001:db8::/32"),
)

_MANIFEST = re.compile(r"^model_images/[a-z][a-z0-9-]*(/manifest\.yaml)?$")

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class Platform(StrEnum):
    """What the region runs on."""

    AWS = "aws"
    KUBERNETES = "kubernetes"
    HOSTS = "hosts"


class GatewaySettings(Part):
    """What the gateway answers for: vendor names that resolve to it inside the segment."""

    intercept: Annotated[tuple[DnsName, ...], Field(min_length=1)]

    @field_validator("intercept")
    @classmethod
    def _named_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        repeated = repeated_of(names)
        if repeated:
            raise refusal(f"{repeated} named twice", rule="an intercepted name is named once", fix="remove the repetition")
        return names


class Model(Part):
    """A model the region serves.

    ``weights`` is the digest of the signed weights; null at site lab means our own pipeline builds them there, null elsewhere means the
    manifest has not been imported: such a region can be previewed but not brought up. ``task`` is what vLLM does with them: generate, or
    embed, which ranks too.
    """

    name: Name
    manifest: str
    image: str | None
    weights: Digest | None
    task: Task = Task.GENERATE

    @field_validator("task", mode="before")
    @classmethod
    def _one_that_vllm_is_started_for(cls, task: Any) -> Any:
        if task not in (Task.GENERATE, Task.EMBED):
            raise refusal(
                f"task {task!r}",
                rule="a model generates or embeds; one that embeds ranks too, by the cosine of its vectors",
                fix="write task: generate, or task: embed",
            )
        return task

    @field_validator("manifest")
    @classmethod
    def _inside_the_repository(cls, manifest: str) -> str:
        if not _MANIFEST.match(manifest):
            raise refusal(
                f"manifest '{manifest}'", rule="a manifest lies in model_images/<model>", fix="write model_images/<model>/manifest.yaml"
            )
        return manifest

    @field_validator("image")
    @classmethod
    def _immutable(cls, image: str | None) -> str | None:
        if image is not None and not IMAGE.match(image):
            raise refusal(
                f"image '{image}' can change under the same name",
                rule="an image is named by digest (name@sha256:<64 hex>); a tag alone is mutable",
                fix="resolve the tag once and write its digest",
            )
        return image


class Region(Part):
    """Everything a person decides about a region; everything else follows from it."""

    name: Name
    jurisdiction: str
    platform: Platform
    site: str
    owner: Text
    cost_centre: Text
    segments: Annotated[Mapping[Name, Segment], Field(min_length=1)]
    hosts: tuple[Host, ...] = ()
    operators: tuple[Operator, ...] = ()
    gateway: GatewaySettings
    models: Annotated[tuple[Model, ...], Field(min_length=1)]
    allowances: tuple[Allowance, ...] = ()
    retention_days: Annotated[int, Field(gt=0, le=36_500, strict=True)] | None = None
    kubernetes: KubernetesSettings | None = None
    aws: AwsSettings | None = None

    @model_validator(mode="after")
    def _obeys_the_rules(self) -> Self:
        self._check_site()
        self._check_platform()
        self._check_segments()
        if self.platform is Platform.HOSTS:
            check_hosts(self.hosts, self.segments, lab=self.lab)
            check_operators(self.operators, self.segments)
        if self.platform is Platform.AWS and self.aws is not None:
            check_aws(
                self.aws,
                site=self.site,
                segments={name: item.ipv4 for name, item in self.segments.items()},
                second_family=any(item.ipv6 is not None for item in self.segments.values()),
                allowances=len(self.allowances),
                registry=self.kubernetes.registry if self.kubernetes is not None else "",
            )
        if self.kubernetes is not None:
            networks = {name: item.networks for name, item in self.segments.items()}
            check_kubernetes(self.kubernetes, networks=networks, own_cluster=self.platform is Platform.KUBERNETES, lab=self.lab)
        self._check_names_and_addresses()
        self._check_models()
        self._check_allowances()
        return self

    # Facts other rooms ask for.

    @property
    def lab(self) -> bool:
        """Whether this is the one-machine region: documentation addresses, CPU 'cards', lab-built weights."""
        return self.site == LAB

    @property
    def segment(self) -> Segment:
        """The legal segment, which every region has."""
        return self.segments["legal"]

    def hosts_by_role(self, role: Role | str) -> tuple[Host, ...]:
        """The hosts of a role, in the file's order."""
        return tuple(host for host in self.hosts if host.role == role)

    def host(self, name: str) -> Host:
        """The host with a name; KeyError when the region has none."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise KeyError(name)

    @property
    def tasks(self) -> dict[str, Task]:
        """What each model is for, in the file's order."""
        return {model.name: model.task for model in self.models}

    @property
    def generating(self) -> Model:
        """The first model that generates: what a host serves, and what callers of every vendor get, unless said otherwise."""
        return next(model for model in self.models if model.task is Task.GENERATE)

    def served_by(self, host: Host) -> Model:
        """The one model of a gpu host."""
        return next((model for model in self.models if model.name == host.serves), self.generating)

    def segment_of(self, host: Host) -> Segment:
        """The segment a host stands in."""
        return self.segments[host.segment]

    @property
    def missing_images(self) -> tuple[str, ...]:
        """Keys of images that are not imported, beside those of models: until they are, the region can be previewed and not brought up."""
        lacking = [] if self.kubernetes is None or self.kubernetes.curtilage_image else ["kubernetes.curtilage_image"]
        lacking += [] if self.aws is None or self.aws.device_plugin_image else ["aws.device_plugin_image"]
        return tuple(lacking)

    def unimported_models(self) -> tuple[Model, ...]:
        """Models that cannot be brought up: no weights digest, and no lab pipeline to make one."""
        return () if self.lab else tuple(model for model in self.models if model.weights is None or model.image is None)

    def effective_retention_days(self) -> int | None:
        """The owner's retention, else the jurisdiction's, else None (undecided)."""
        return self.retention_days or load_jurisdiction(self.jurisdiction).retention_days

    def document(self) -> dict[str, Any]:
        """The region as plain JSON types; ``Region.model_validate`` reads it back."""
        return self.model_dump(mode="json")

    def canonical(self) -> str:
        """Canonical JSON: the same region gives the same bytes on every machine."""
        return canonical_json(self.document()).decode()

    # Rules.

    def _check_site(self) -> None:
        law = load_jurisdiction(self.jurisdiction)
        if self.platform is Platform.AWS:
            allowed = law.cloud_region_names("aws")
            if self.site not in allowed:
                raise refusal(
                    f"site '{self.site}' is not an AWS region inside {law.code}",
                    rule=f"a cloud region lies inside the jurisdiction: {', '.join(allowed) or 'none of AWS is there'}",
                    fix="choose one of these, or platform hosts",
                    key="site",
                )
        elif not self.lab and not law.contains_country(self.site):
            raise refusal(
                f"site '{self.site}' is outside {law.code}",
                rule="the data centre's country lies inside the region's jurisdiction",
                fix=f"use one of {', '.join(law.country_codes or law.members)}" + ", or lab",
                key="site",
            )

    def _check_platform(self) -> None:
        """Each platform has its own keys; one that another platform's region carries would be believed and never built."""
        wanted = {
            Platform.HOSTS: {"hosts", "operators"},
            Platform.KUBERNETES: {"kubernetes"},
            Platform.AWS: {"aws", "kubernetes"},
        }[self.platform]
        for key in ("hosts", "operators", "kubernetes", "aws"):
            given = getattr(self, key)
            if given and key not in wanted:
                raise refusal(
                    f"platform {self.platform} with {key}",
                    rule=f"a region on {self.platform} has {' and '.join(sorted(wanted))}",
                    fix=f"remove {key}, or change platform",
                    key=key,
                )
            if not given and key in wanted and key != "hosts":
                raise refusal(
                    f"platform {self.platform} without {key}",
                    rule=f"a region on {self.platform} has {' and '.join(sorted(wanted))}",
                    fix=f"add {key}; `curtilage region new` writes one",
                    key=key,
                )
        for name, segment in self.segments.items():
            if self.platform is Platform.HOSTS and segment.router_ipv4 is None:
                raise refusal(
                    f"segment '{name}' has no router_ipv4",
                    rule="on hosts a segment names its router, which hosts may send to and nothing beyond",
                    fix="add router_ipv4",
                    key=f"segments.{name}.router_ipv4",
                )
            if self.platform is not Platform.HOSTS and (segment.router_ipv4 or segment.router_ipv6):
                raise refusal(
                    f"segment '{name}' names a router",
                    rule=f"on {self.platform} the platform routes; no router of ours is there",
                    fix="remove router_ipv4 and router_ipv6",
                    key=f"segments.{name}.router_ipv4",
                )

    def _check_segments(self) -> None:
        if "legal" not in self.segments:
            raise refusal("no segment 'legal'", rule="every region has the segment 'legal'", fix="name it", key="segments")
        permitted = _PRIVATE + (_DOCUMENTATION if self.lab else ())
        seen: list[tuple[str, IPv4Network | IPv6Network]] = []
        for name, segment in self.segments.items():
            key = f"segments.{name}"
            for network in segment.networks:
                if not any(_inside(network, ground) for ground in permitted):
                    documentation = any(_inside(network, ground) for ground in _DOCUMENTATION)
                    raise refusal(
                        f"segment '{name}' ({network}) is {'a documentation range' if documentation else 'not private'}",
                        rule="a segment is private (RFC 1918, RFC 4193); documentation ranges only at site lab",
                        fix="use 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or fc00::/7",
                        key=f"{key}.ipv{network.version}",
                    )
                for other_name, other in seen:
                    if other.version == network.version and network.overlaps(other):
                        raise refusal(
                            f"segment '{name}' ({network}) overlaps '{other_name}' ({other})",
                            rule="segments do not overlap",
                            fix="give each segment its own network",
                            key=key,
                        )
                seen.append((name, network))
            if segment.router_ipv4 is not None:
                check_pair(f"segment '{name}' router", segment.router_ipv4, segment.router_ipv6, segment, key)

    def _check_names_and_addresses(self) -> None:
        machines: list[Host | Operator] = [*self.hosts, *self.operators]
        refuse_repeats("name", (machine.name for machine in machines), "hosts")
        addresses: list[object] = [address for machine in machines for address in (machine.ipv4, machine.ipv6) if address]
        for segment in self.segments.values():
            addresses += [address for address in (segment.router_ipv4, segment.router_ipv6) if address]
        refuse_repeats("address", map(str, addresses), "hosts")
        refuse_repeats("model", (model.name for model in self.models), "models")
        refuse_repeats("allowance", (allowance.id for allowance in self.allowances), "allowances")

    def _check_models(self) -> None:
        """Callers of every vendor can ask for text; and on hosts, what is declared is served by one."""
        if Task.GENERATE not in self.tasks.values():
            raise refusal(
                "no model generates",
                rule="a region serves a model with task generate; others embed beside it",
                fix="name one that generates",
                key="models",
            )
        for index, host in enumerate(self.hosts):
            if host.serves is not None and host.serves not in self.tasks:
                raise refusal(
                    f"host '{host.name}' serves {host.serves}, which the region has not",
                    rule="a host serves a model of its region",
                    fix=f"name one of {', '.join(self.tasks)}",
                    key=f"hosts.{index}.serves",
                )
        served = {self.served_by(host).name for host in self.hosts_by_role(Role.GPU)}
        for index, model in enumerate(self.models):
            if self.platform is Platform.HOSTS and model.name not in served:
                raise refusal(
                    f"model '{model.name}' is on no host",
                    rule="a gpu host serves one model: the first that generates, or the one it names",
                    fix=f"write serves: {model.name} on a gpu host, or remove the model",
                    key=f"models.{index}",
                )

    def _check_allowances(self) -> None:
        for index, allowance in enumerate(self.allowances):
            for name, segment in self.segments.items():
                for network in segment.networks:
                    if network.version == allowance.destination.version and network.overlaps(allowance.destination):
                        raise refusal(
                            f"allowance '{allowance.id}' ({allowance.destination}) lies in segment '{name}' ({network})",
                            rule="flows inside a segment are derived from roles, never allowed by hand",
                            fix="remove the allowance",
                            key=f"allowances.{index}.destination",
                        )


def load_region(name_or_path: str | Path, *, as_of: date | None = None) -> Region:
    """The region of ``stacks/Pulumi.<region>.yaml``, or of the file pointed at.

    Args:
        name_or_path: a region's name, or a path.
        as_of: the day allowances are judged on; today in UTC by default.

    Raises:
        ConfigError: naming file, key, rule and fix.
    """
    path = stack_path(name_or_path)
    file, document = shown(path), read_stack(path)
    try:
        region = Region.model_validate(document, context={"as_of": as_of})
    except ValidationError as error:
        raise config_error(error, file) from error
    except ConfigError as error:
        raise ConfigError(error.given, rule=error.rule, fix=error.fix, file=file, key=error.key) from error
    if path.name.startswith("Pulumi.") and path.name != f"Pulumi.{region.name}.yaml":
        raise ConfigError(
            f"the region is named '{region.name}'",
            rule="a stack file is named by its region",
            fix=f"rename the file to Pulumi.{region.name}.yaml",
            file=file,
            key="name",
        )
    return region


def _inside(network: IPv4Network | IPv6Network, ground: IPv4Network | IPv6Network) -> bool:
    if isinstance(network, IPv4Network):
        return isinstance(ground, IPv4Network) and network.subnet_of(ground)
    return isinstance(ground, IPv6Network) and network.subnet_of(ground)
