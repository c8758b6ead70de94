"""Ranking: candidates, evidence, fusion, and the trained pipeline that answers."""
