"""The step as a Kubeflow task."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output

from components._kubeflow import BASE_IMAGE


@dsl.component(base_image=BASE_IMAGE, install_kfp_package=False)
def train(
    features: Input[Dataset],
    model: str,
    params: str,
    revision: str,
    bundle: Output[Model],
    pretrained: Input[Model] = None,
) -> None:
    """Trains one model."""
    from components._kubeflow import execute

    execute("train", locals())
