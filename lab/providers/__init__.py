"""Stand-ins for two resource providers, for machines where the official plugins cannot be installed.

They exist so that every region previews, is proved and passes the policies in CI with no cloud account. An official plugin is used whenever
one is installed (``curtilage.plugins`` decides), and a stand-in says what it is in the engine's output and in the plan.
"""
