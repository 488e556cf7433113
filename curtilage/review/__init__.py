"""What a pull request changes, as one comment: severity, egress delta decided by SMT, policies, proof, plan digest."""
