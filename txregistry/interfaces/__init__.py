"""The contracts between rooms: one module per noun."""
