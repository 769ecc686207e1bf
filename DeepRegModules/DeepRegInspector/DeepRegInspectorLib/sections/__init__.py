"""The sections of the Inspector's panel, one file each."""
