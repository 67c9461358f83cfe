"""The figures and tables of the four published systems, drawn from this run, with the published values beside them."""
