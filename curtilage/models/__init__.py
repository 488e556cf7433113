"""Models: what they are (manifest), whether they are whole and ours (signing), where they lie (store), how the lab's is made (build)."""
