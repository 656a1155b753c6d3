"""Access controllers: who may do what."""
