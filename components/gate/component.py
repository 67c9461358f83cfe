"""The step as a Kubeflow task."""

from kfp import dsl
from kfp.dsl import Artifact, Input, Model, Output

from components._kubeflow import BASE_IMAGE


@dsl.component(base_image=BASE_IMAGE, install_kfp_package=False)
def gate(
    ensemble: Input[Model],
    registry: str,
    params: str,
    revision: str,
    decision: Output[Artifact],
) -> str:
    """Says whether the candidate may ship: ``pass`` or ``fail``, with the reasons in the decision."""
    from components._kubeflow import execute

    return str(execute("gate", locals())["decision"])
