"""Access controllers: authentication and authorization of clients."""
