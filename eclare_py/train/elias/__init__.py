"""Training of the method `elias`: a learned index, end to end (Gupta et al., NeurIPS 2022)."""
