"""What phantoms there are. Without the makers, so that a command line knows its choices at once."""

ANATOMIES = ("abdomen", "thorax", "brain")
MODALITY_PAIRS = ("ct-ct", "mr-ct", "mr-mr")
