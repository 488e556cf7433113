"""Components of platform ``aws``: a VPC without a way out, a private cluster in it, and the kubernetes components inside."""
