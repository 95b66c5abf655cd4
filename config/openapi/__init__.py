"""The API described for machines (/api/schema) and people (/api/docs/)."""
