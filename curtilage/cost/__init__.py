"""What a region costs and what the same work would cost at a cloud API: every assumption is in a dated file the reader can replace."""
