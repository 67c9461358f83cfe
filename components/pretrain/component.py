"""The step as a Kubeflow task."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output

from components._kubeflow import BASE_IMAGE


@dsl.component(base_image=BASE_IMAGE, install_kfp_package=False)
def pretrain(
    features: Input[Dataset],
    model: str,
    params: str,
    revision: str,
    pretrained: Output[Model],
) -> None:
    """Trains one model on its source task."""
    from components._kubeflow import execute

    execute("pretrain", locals())
