"""Where everything lies: distribution's tree, and walks through it."""
