"""The step as a Kubeflow task."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Model, Output

from components._kubeflow import BASE_IMAGE


@dsl.component(base_image=BASE_IMAGE, install_kfp_package=False)
def package(
    ensemble: Input[Model],
    decision: Input[Artifact],
    data: str,
    manifest: Input[Dataset],
    params: str,
    revision: str,
    package: Output[Artifact],
) -> None:
    """Packs the ensemble for TorchServe."""
    from components._kubeflow import execute

    execute("package", locals())
