"""Papers for people who read and sign: one set of blocks, rendered as self-contained HTML and as PDF."""
