"""Names of anatomies and modality pairs, in a module of their own that imports nothing."""

ANATOMIES = ("abdomen", "thorax", "brain")
MODALITY_PAIRS = ("ct-ct", "mr-ct", "mr-mr")
