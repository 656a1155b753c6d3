"""What is remembered of repositories, in memory or in redis."""
