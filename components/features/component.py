"""The step as a Kubeflow task."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from components._kubeflow import BASE_IMAGE


@dsl.component(base_image=BASE_IMAGE, install_kfp_package=False)
def features(
    data: str,
    manifest: Input[Dataset],
    mixtures: Input[Dataset],
    params: str,
    revision: str,
    features: Output[Dataset],
) -> None:
    """Decodes every clip once and computes what the models read."""
    from components._kubeflow import execute

    execute("features", locals())
