#!/usr/bin/python3
"""Load a ruleset atomically and hold that what the kernel has is what the file says, nothing less and nothing more.

nft normalises what it lists, so file and kernel cannot be compared as text. This module loads the file into an empty network namespace of
its own and compares what nft lists there with what it lists on the host. A rule edited, added or removed by hand, a foreign table and a
missing one all show. The comparison never touches the host's namespace; the repair is one transaction (flush and define together), so there
is no moment without a ruleset.
"""

from __future__ import annotations

import difflib
import re
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: curtilage_nft
short_description: Loaded ruleset equals the file
description: Compares the kernel's ruleset with a file and, when they differ, replaces it in one transaction.
author: Curtilage
options:
  path:
    description: The ruleset file.
    type: path
    default: /etc/nftables.conf
"""
EXAMPLES = r"""
- name: Hold the seal
  curtilage_nft:
    path: /etc/nftables.conf
"""
RETURN = r"""
difference:
  description: What was different before, as unified diff lines.
  returned: always
  type: list
"""

# A netdev chain names its device, which the empty namespace has not; loopback stands in for it and is renamed back in the listing.
DEVICE = re.compile(r'\bdevice\s+"?([A-Za-z0-9_.-]+)"?')


def listing(module: AnsibleModule) -> str:
    """The kernel's ruleset without counts."""
    code, out, err = module.run_command(["nft", "--stateless", "list", "ruleset"])
    if code != 0:
        module.fail_json(msg=f"nft cannot list the ruleset: {err.strip()}")
    return str(out)


def expected(module: AnsibleModule, text: str) -> str:
    """What the kernel lists once the file alone is loaded."""
    devices = sorted(set(DEVICE.findall(text)))
    if len(devices) > 1:
        module.fail_json(msg=f"the file's netdev chains name more than one device: {', '.join(devices)}")
    shadow = DEVICE.sub("device lo", text)
    with tempfile.NamedTemporaryFile("w", suffix=".nft", dir=module.tmpdir) as file:
        file.write(shadow)
        file.flush()
        script = 'nft --file "$1" && nft --stateless list ruleset'
        code, out, err = module.run_command(["unshare", "--net", "sh", "-c", script, "sh", file.name])
    if code != 0:
        module.fail_json(msg=f"the ruleset does not load into an empty namespace: {err.strip()}")
    return DEVICE.sub(f'device "{devices[0]}"', str(out)) if devices else str(out)


def compare(module: AnsibleModule, text: str) -> list[str]:
    """Lines of the difference between file and kernel; empty when equal."""
    want, have = expected(module, text), listing(module)
    if DEVICE.search(have):
        have = DEVICE.sub(lambda match: f'device "{match.group(1)}"', have)
    return list(difflib.unified_diff(want.splitlines(), have.splitlines(), "file", "kernel", lineterm="", n=1))


def main() -> None:
    """Compare, repair, compare again."""
    module = AnsibleModule(argument_spec={"path": {"type": "path", "default": "/etc/nftables.conf"}}, supports_check_mode=True)
    path = Path(module.params["path"])
    if not path.exists():
        module.exit_json(changed=True, difference=[f"{path} is not there yet"])
    text = path.read_text(encoding="utf-8")
    difference = compare(module, text)
    if difference and not module.check_mode:
        code, _, err = module.run_command(["nft", "--file", "-"], data="flush ruleset\n" + text)
        if code != 0:
            module.fail_json(msg=f"nft refuses {path}; the ruleset before it is still loaded: {err.strip()}", difference=difference)
        left = compare(module, text)
        if left:
            module.fail_json(msg="the loaded ruleset still differs from the file", difference=left)
    module.exit_json(changed=bool(difference), difference=difference)


if __name__ == "__main__":
    main()
