"""The subcommands of `tutti`; what is heavy to import is imported inside them."""
