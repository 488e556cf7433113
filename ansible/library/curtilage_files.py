#!/usr/bin/python3
"""Settle a role's files in one call.

Ansible's own copy and template modules run twice on a host for each file, half a second each time. A sealed region is configured often
and has to come up in minutes, so a role hands all its plain files over at once. Secrets do not come this way: ``copy`` with no_log takes
them.

Every file is written under another name in the same directory, validated there when the role says how, and renamed: whole or not at all.
"""

from __future__ import annotations

import grp
import os
import pwd
import shlex
import stat
import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: curtilage_files
short_description: Settle several files and directories in one call
description: Creates, corrects or removes each, in the order given. A file is validated before it takes its place.
author: Curtilage
options:
  files:
    description: >-
      Each has C(path) and either C(content), C(state=directory) or C(state=absent); optionally C(owner), C(group), C(mode), and
      C(validate), a command in which %s is the file.
    type: list
    elements: dict
    required: true
"""
EXAMPLES = r"""
- name: Write two files
  curtilage_files:
    files:
      - {path: /etc/example.d, state: directory, mode: "0755"}
      - {path: /etc/example.d/one.conf, content: "one\n"}
"""
RETURN = r"""
settled:
  description: Paths that were not as they should be.
  returned: always
  type: list
"""

OPTIONS: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str"},
    "state": {"type": "str", "choices": ["file", "directory", "absent"], "default": "file"},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
    "mode": {"type": "str"},
    "validate": {"type": "str"},
}


class Settler:
    """Settles one entry after another."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.dry: bool = module.check_mode
        self.settled: list[str] = []

    def settle(self, entry: dict[str, Any]) -> None:
        """Bring one path to what the entry says."""
        path = Path(entry["path"])
        if entry["state"] == "absent":
            wrong = path.is_symlink() or path.exists()
            if wrong and not self.dry:
                path.unlink()
        elif entry["state"] == "directory":
            wrong = not path.is_dir()
            if wrong and not self.dry:
                path.mkdir(parents=True)
            wrong = self.attributes(path, entry, "0755") or wrong
        else:
            wrong = not self.has(path, entry["content"])
            if wrong and not self.dry:
                self.write(path, entry)
            wrong = self.attributes(path, entry, "0644") or wrong
        if wrong:
            self.settled.append(str(path))

    @staticmethod
    def has(path: Path, content: str | None) -> bool:
        """Whether the path is a plain file with this content; a symbolic link is not."""
        return path.is_file() and not path.is_symlink() and path.read_bytes() == (content or "").encode()

    def write(self, path: Path, entry: dict[str, Any]) -> None:
        """Write beside, validate, rename."""
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        beside = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write((entry["content"] or "").encode())
            if entry["validate"]:
                command = [part.replace("%s", name) for part in shlex.split(entry["validate"])]
                code, out, err = self.module.run_command(command)
                if code != 0:
                    said = (err.strip() or out.strip())[-2000:]
                    self.module.fail_json(msg=f"{path}: refused by {command[0]}; the file before it is still in place: {said}")
            self.attributes(beside, entry, "0644")
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)

    def attributes(self, path: Path, entry: dict[str, Any], default_mode: str) -> bool:
        """Correct owner, group and mode; True when one was wrong."""
        if not path.exists():
            return True  # check mode: it would be made
        found = path.stat()
        try:
            owner, group = pwd.getpwnam(entry["owner"]).pw_uid, grp.getgrnam(entry["group"]).gr_gid
        except KeyError as error:
            if self.dry:
                return True  # check mode: an earlier task would have made the account
            self.module.fail_json(msg=f"{path}: {error.args[0]}")
        mode = int(entry["mode"] or default_mode, 8)
        wrong = False
        if (found.st_uid, found.st_gid) != (owner, group):
            wrong = True
            if not self.dry:
                os.chown(path, owner, group)
        if stat.S_IMODE(found.st_mode) != mode:
            wrong = True
            if not self.dry:
                path.chmod(mode)
        return wrong


def main() -> None:
    """Settle and tell."""
    spec = {"files": {"type": "list", "elements": "dict", "required": True, "options": OPTIONS}}
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    settler = Settler(module)
    for entry in module.params["files"]:
        try:
            settler.settle(entry)
        except OSError as error:
            module.fail_json(msg=f"{entry['path']}: {error.strerror or error}", settled=settler.settled)
    module.exit_json(changed=bool(settler.settled), settled=settler.settled)


if __name__ == "__main__":
    main()
