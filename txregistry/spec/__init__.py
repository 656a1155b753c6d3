"""Registry knowledge as values and pure functions; knows no Twisted and no clock."""
