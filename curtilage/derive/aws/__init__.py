"""A region's AWS facts as plain data: networks, policies, names. No Pulumi here; ``components/aws`` declares what this derives."""
