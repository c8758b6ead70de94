"""What people look at: tables, charts and self-contained pages of evaluations, comparisons and label graphs."""
