"""The CrossGuard pack: rules that stop a plan. Only ``__main__.py`` builds the pack, because building one serves it and blocks."""
