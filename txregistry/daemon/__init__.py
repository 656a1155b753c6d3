"""The process: what starts and stops in which order, and what it holds."""
