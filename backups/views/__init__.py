"""What is called over HTTP: validate, ask the service, answer."""
