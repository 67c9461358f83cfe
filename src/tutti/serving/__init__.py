"""From a selected ensemble to a served one: the package, the server that loads it, its test, the registry."""
