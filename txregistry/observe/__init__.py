"""What is seen from outside while it runs: logs, metrics, the debug listener."""
