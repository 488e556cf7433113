"""The sanitizer: one walker over every string leaf, so that no surface, position or encoding has a path of its own around it."""
