"""The step as a Kubeflow task."""

from kfp import dsl
from kfp.dsl import Artifact, Input, Output

from components._kubeflow import BASE_IMAGE


@dsl.component(base_image=BASE_IMAGE, install_kfp_package=False)
def smoke(
    package: Input[Artifact],
    params: str,
    revision: str,
    result: Output[Artifact],
) -> None:
    """Starts the packed model under TorchServe and compares its answers with the golden ones."""
    from components._kubeflow import execute

    execute("smoke", locals())
