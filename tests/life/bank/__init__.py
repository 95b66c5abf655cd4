"""A small application of Django's, whose database Savepoint restores while it works."""
