"""The live auditors: read what stands in a cluster or an account, in the very form the proof takes, and prove that instead of the plan.

Read-only by construction: the clients here know no verb that changes anything. What could not be read is named and NOT-PROVEN.
"""
