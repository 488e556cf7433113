"""Curtilage: sovereign LLM deployments for corporate legal departments.

This package is the domain. It imports no Pulumi: declaration lives in ``components/``, convergence in ``ansible/``.
"""

__version__ = "0.1.0"
