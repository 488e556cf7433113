"""Tuning without a network: templates with seeded values become documents, documents become a tokenizer and a model.

``curtilage.finetune.trainer`` alone imports torch, and it alone runs inside the namespace without interfaces, so the other modules
load on a host that has neither torch nor transformers.
"""
