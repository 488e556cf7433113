#!/usr/bin/python3
"""Kernel settings: set those this host's kernel namespace allows, and name those it does not.

A container may read most settings and write few. Writing them with errors ignored would hide which hold; this module reads every one back
and returns those that neither hold nor can be set, so that the role reports them instead of claiming them.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: curtilage_sysctl
short_description: Set kernel settings and report those that cannot be set
description: Writes each setting that differs, reads it back, and returns the ones the host refuses.
author: Curtilage
options:
  settings:
    description: Each has C(key), and C(values), the acceptable values, the first of which is written.
    type: list
    elements: dict
    required: true
"""
EXAMPLES = r"""
- name: Never route
  curtilage_sysctl:
    settings:
      - {key: net.ipv4.ip_forward, values: ["0"]}
"""
RETURN = r"""
refused:
  description: Settings that do not hold and cannot be set here, each with its reason.
  returned: always
  type: list
"""


def path_of(key: str) -> Path:
    """The file of a setting; dots separate, as in sysctl(8)."""
    return Path("/proc/sys", *key.split("."))


def read(key: str) -> str:
    """The value now."""
    return path_of(key).read_text(encoding="ascii").strip()


def settle(key: str, values: list[str], check: bool) -> tuple[bool, str | None]:
    """(changed, reason why it does not hold)."""
    try:
        now = read(key)
        if now in values:
            return False, None
        if check and os.access(path_of(key), os.W_OK):
            return True, None
        if check:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        path_of(key).write_text(values[0], encoding="ascii")
        now = read(key)
    except FileNotFoundError:
        return False, "this kernel has no such setting"
    except OSError as error:
        return False, f"is {now!r}, and cannot be set here: {error.strerror}"
    return (True, None) if now in values else (False, f"stays {now!r}")


def main() -> None:
    """Set and report."""
    spec = {
        "settings": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {
                "key": {"type": "str", "required": True, "no_log": False},
                "values": {"type": "list", "elements": "str", "required": True},
                "why": {"type": "str"},
            },
        }
    }
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    changed, refused = [], []
    for setting in module.params["settings"]:
        did, reason = settle(setting["key"], setting["values"], module.check_mode)
        if did:
            changed.append(setting["key"])
        if reason:
            refused.append({"key": setting["key"], "reason": reason})
    module.exit_json(changed=bool(changed), set=changed, refused=refused)


if __name__ == "__main__":
    main()
