"""TorchServe's side of Tutti: the handler, its configuration, and the commands that start, stop and ask the server."""
