"""Public sets: one file a set, from its published files to one table of readings."""
