"""Live verification: attack the running region from inside; every attack must fail, and be seen to fail."""
