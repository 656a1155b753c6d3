"""An index of names beside the tree, and how it comes to be believed."""
