"""Features of texts: TF-IDF over words and characters, and a frozen transformer encoder."""
