"""Regulars (熟客): customer care and marketing in one loop. The layers stand in docs/architecture.md."""

__version__ = "0.1.0"
