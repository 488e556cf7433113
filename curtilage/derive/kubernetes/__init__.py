"""A region's Kubernetes objects as plain data: what the components declare, the goldens show and the proof reads. No Pulumi here."""
