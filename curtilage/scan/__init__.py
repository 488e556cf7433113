"""The scanner: every way data can leave a CRM, read from its source; AI ones marked.

Files are read one by one, in order of their paths, and never run. What cannot be read or resolved is a finding of its own.
"""
