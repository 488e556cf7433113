"""A real Kubernetes API on one machine: etcd, API server, controllers, scheduler, and nodes that kwok plays."""
