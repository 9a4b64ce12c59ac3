"""Proof steps, a file a result: as printed, corrected, and our own."""
