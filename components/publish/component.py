"""The step as a Kubeflow task."""

from kfp import dsl
from kfp.dsl import Artifact, Input, Model, Output

from components._kubeflow import BASE_IMAGE


@dsl.component(base_image=BASE_IMAGE, install_kfp_package=False)
def publish(
    package: Input[Artifact],
    ensemble: Input[Model],
    decision: Input[Artifact],
    smoke: Input[Artifact],
    registry: str,
    params: str,
    revision: str,
    published: Output[Artifact],
) -> None:
    """Copies what passed both gates into the registry and makes it the champion."""
    from components._kubeflow import execute

    execute("publish", locals())
