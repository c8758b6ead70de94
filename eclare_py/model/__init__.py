"""Networks: document and label encoders, and the losses they are trained with."""
