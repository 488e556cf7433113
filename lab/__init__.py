"""The one-machine region: real systemd hosts in network namespaces, an open edge, and an internet made of canaries.

The lab is what a region looks like from the wire up, so that nothing about the seal has to be believed. It deliberately knows nothing of
rulesets or proofs: the edge forwards everything, and the internet answers everything, so only the region's own controls can stop a packet.
The root namespace gets no address, no route and no link of the lab, and no probe is ever sent from it.
"""
