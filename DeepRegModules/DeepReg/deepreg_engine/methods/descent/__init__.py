"""The Descent method: regularised iterative descent on features."""
