"""Taking over from a service that runs Docker's registry, and giving back."""
