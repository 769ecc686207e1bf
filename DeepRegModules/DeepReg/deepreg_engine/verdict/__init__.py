"""The verdict on a registration: good, to be checked, or bad, with its reason and the next step."""
