"""YAML as people and yamllint want to read it."""

from __future__ import annotations

from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    """Lists stand deeper than their key; nothing is an alias of something far above."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: object) -> bool:
        return True


def yaml_text(document: Any, *, sort_keys: bool = True) -> str:
    """A document's text."""
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=sort_keys, width=140, allow_unicode=True)
    return text
