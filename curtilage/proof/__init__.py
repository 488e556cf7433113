"""Decides whether anything can leave: a ruleset, a host, a region.

One walker of rules serves two algebras: booleans, which decide one packet, and z3, which decides all of them. What the kernel comparison
tests with packets is therefore the very code that proves.
"""
