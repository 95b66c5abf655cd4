"""Times to the second, with their zone: what happened when matters here."""

DATETIME_FORMAT = "Y-m-d H:i:s e"
DATE_FORMAT = "Y-m-d"
