"""``curtilage gateway bench``: the gateway's figures beside its peers, one run, one machine."""
