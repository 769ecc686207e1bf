"""What an image shows: modality, contrast, body part and field of view; and what is wrong with a pair before a run. No torch."""
