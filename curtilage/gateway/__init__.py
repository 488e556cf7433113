"""The gateway: external LLM APIs answered by the local model; nothing sensitive through, every call on the ledger."""
