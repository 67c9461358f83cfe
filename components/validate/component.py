"""The step as a Kubeflow task."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Output

from components._kubeflow import BASE_IMAGE


@dsl.component(base_image=BASE_IMAGE, install_kfp_package=False)
def validate(
    data: str,
    params: str,
    revision: str,
    manifest: Output[Dataset],
    docs: Output[Artifact],
    summary: Output[Artifact],
) -> None:
    """Checks the datasets and writes the manifest."""
    from components._kubeflow import execute

    execute("validate", locals())
