"""Tests of the embedded stack: it behaves as a hosted project does, and it never outlives its parent."""
