"""Declaration: Pulumi components, one a file. What they declare is derived in ``curtilage``; nothing is derived here."""
