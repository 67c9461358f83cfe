"""The step as a Kubeflow task."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Output

from components._kubeflow import BASE_IMAGE


@dsl.component(base_image=BASE_IMAGE, install_kfp_package=False)
def systems(
    manifest: Input[Dataset],
    features: Input[Dataset],
    models: Input[Artifact],
    evaluations: Input[Artifact],
    data: str,
    params: str,
    revision: str,
    systems: Output[Artifact],
) -> None:
    """Writes the page of the published systems."""
    from components._kubeflow import execute

    execute("systems", locals())
