"""Whole images of a cache: what of them is here, and how to have them here."""
