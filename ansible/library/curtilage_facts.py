#!/usr/bin/python3
"""What the roles need to know of a host, in one call: its capabilities, its container manager, which programs and trees it has.

Ansible's own fact gathering asks for far more, slowly, and not for the capability bounding set, which decides what a container may do.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: curtilage_facts
short_description: Capabilities, container manager, programs and trees of a host
description: Returns facts under C(ansible_facts.curtilage). Changes nothing.
author: Curtilage
options: {}
"""
EXAMPLES = r"""
- name: Know the host
  curtilage_facts:
"""
RETURN = r"""
ansible_facts:
  description: The fact C(curtilage) with C(capabilities), C(container), C(programs), C(trees).
  returned: always
  type: dict
"""

# Bit numbers of linux/capability.h that a role asks for.
CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13, "CAP_SYS_MODULE": 16, "CAP_SYS_ADMIN": 21, "CAP_SYS_TIME": 25}
PROGRAMS = ("chronyd", "nft", "nvidia-smi", "openssl", "prometheus", "prometheus-node-exporter", "sshd", "unbound")
TREES = ("curtilage", "vllm", "crm")
SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def bounding_set() -> int:
    """The capability bounding set of process 1: what any service of this host could ever hold."""
    with Path("/proc/1/status").open(encoding="ascii") as status:
        for line in status:
            if line.startswith("CapBnd:"):
                return int(line.split()[1], 16)
    raise OSError("no CapBnd in /proc/1/status")


def container() -> str:
    """The container manager systemd was told of (``systemd-nspawn`` in the lab), or the empty string."""
    try:
        return Path("/run/systemd/container").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""


def main() -> None:
    """Report."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    bits = bounding_set()
    facts = {
        "capabilities": sorted(name for name, bit in CAPABILITIES.items() if bits >> bit & 1),
        "container": container(),
        "programs": sorted(name for name in PROGRAMS if shutil.which(name, path=SEARCH)),
        "trees": sorted(name for name in TREES if Path(f"/opt/{name}").is_dir()),
    }
    module.exit_json(changed=False, ansible_facts={"curtilage": facts})


if __name__ == "__main__":
    main()
