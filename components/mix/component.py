"""The step as a Kubeflow task."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from components._kubeflow import BASE_IMAGE


@dsl.component(base_image=BASE_IMAGE, install_kfp_package=False)
def mix(
    data: str,
    manifest: Input[Dataset],
    params: str,
    revision: str,
    mixtures: Output[Dataset],
) -> None:
    """Makes the synthetic mixtures."""
    from components._kubeflow import execute

    execute("mix", locals())
