"""Models are named by digest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from policies.rules._rule import Rule

_IMAGE = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def _by_digest(props: Mapping[str, Any]) -> Iterator[str]:
    # The two words say that there is no digest yet; the component stops an update with "not-imported", and only the lab may build.
    undecided = "lab-built" if props["lab"] is True else "not-imported"
    if props["image"] != undecided and not _IMAGE.fullmatch(props["image"]):
        yield f"The image {props['image']!r} must be named by digest; a tag can change under the same name."
    if props["weights"] != undecided and not _DIGEST.fullmatch(props["weights"]):
        yield f"The weights {props['weights']!r} must be a sha256 digest."


RULES = (
    Rule(
        name="model-by-digest",
        description="A model's image and weights are named by digest.",
        resource_type="curtilage:hosts:ModelImage",
        check=_by_digest,
    ),
)
