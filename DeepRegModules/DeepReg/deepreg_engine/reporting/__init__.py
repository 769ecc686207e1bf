"""The report of a registration as one page that works without a network: figures, ratings, pictures, and the same as JSON and CSV."""
