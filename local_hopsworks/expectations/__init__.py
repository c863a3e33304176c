"""Expectation suites, and the reports of validations."""
