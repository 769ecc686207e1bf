"""Names of anatomies and modality pairs, in a module without imports."""

ANATOMIES = ("abdomen", "thorax", "brain")
MODALITY_PAIRS = ("ct-ct", "mr-ct", "mr-mr")
