"""The report of a registration: its figures, ratings and pictures, and the page that shows them."""
