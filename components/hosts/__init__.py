"""Components of platform ``hosts``: GPU servers that Ansible converges from the stack's outputs."""
