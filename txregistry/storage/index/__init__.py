"""An index of names beside the tree, and how it is validated."""
