"""For tests, ours and those of other people's drivers: suites, a fake upstream."""
