"""Claims: signed bundles of what was deployed and observed, their offline verifier, and the store that keeps checkpoints."""
