"""The step as a Kubeflow task."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Model, Output

from components._kubeflow import BASE_IMAGE


@dsl.component(base_image=BASE_IMAGE, install_kfp_package=False)
def repeat(
    features: Input[Dataset],
    model: str,
    bundle: Input[Model],
    params: str,
    revision: str,
    repeats: Output[Artifact],
    pretrained: Input[Model] = None,
) -> None:
    """Trains one model again with other seeds."""
    from components._kubeflow import execute

    execute("repeat", locals())
