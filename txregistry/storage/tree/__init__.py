"""The paths of distribution's tree, and walks through it."""
