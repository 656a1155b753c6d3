"""The admin listener: an API and pages to look at a cache and to steer it."""
