"""The checks of a fit, a few of one kind a file; each yields findings with stable codes."""
