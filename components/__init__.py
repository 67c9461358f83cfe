"""The pipeline's steps: each one function with a command line and a thin Kubeflow wrapper."""
