"""Verbs that join areas. Each module holds one Typer app with one command."""
