"""What kills a registry at random, and what has to be there afterwards."""
