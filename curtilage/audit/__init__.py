"""The ledger: every call's intent and outcome, durable, Merkle-hashed, signed, and readable by standard verifiers."""
