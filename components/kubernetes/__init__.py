"""Components of a cluster, an existing one or the one inside an AWS region: they declare what ``curtilage.derive.kubernetes`` derives."""
