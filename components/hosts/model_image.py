"""A model the region serves, by digest.

Invariant: outside the lab a model whose weights or image have no digest can be previewed and never brought up.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from curtilage.errors import ConfigError
from curtilage.region import Model


@dataclass(frozen=True, kw_only=True)
class ModelImageArgs:
    """The model, and whether the site is the lab (whose weights our own pipeline makes on the spot)."""

    model: Model
    lab: bool


def refuse_unimported(model: Model, *, lab: bool) -> None:
    """Stop an update, before anything is registered, that would serve weights nobody signed."""
    missing = [what for what, value in (("weights", model.weights), ("image", model.image)) if value is None]
    if missing and not lab:
        raise ConfigError(
            f"model '{model.name}' has no digest for {' and '.join(missing)}",
            rule="outside the lab only imported, signed models are brought up; until then a region can be previewed",
            fix="import the model with `curtilage model import` and write its digests into the stack file",
            key="models",
        )


class ModelImage(pulumi.ComponentResource):
    """A model's manifest, image and weights."""

    weights: pulumi.Output[str]
    """Digest of the weights; ``lab-built`` or ``not-imported`` when the file has none."""

    def __init__(self, name: str, args: ModelImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        state = "lab-built" if args.lab else "not-imported"
        props = {
            "model": args.model.name,
            "task": args.model.task.value,
            "manifest": args.model.manifest,
            "image": args.model.image or state,
            "weights": args.model.weights or state,
            "lab": args.lab,
        }
        super().__init__("curtilage:hosts:ModelImage", name, props, opts)
        self.weights = pulumi.Output.from_input(args.model.weights or state)
        self.register_outputs({"weights": self.weights})
