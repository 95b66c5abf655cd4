"""The version of the service, as clients see it in `cc.version`."""

VERSION = "2026.11.001"
