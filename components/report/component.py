"""The step as a Kubeflow task."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Model, Output

from components._kubeflow import BASE_IMAGE


@dsl.component(base_image=BASE_IMAGE, install_kfp_package=False)
def report(
    manifest: Input[Dataset],
    validation: Input[Artifact],
    mixtures: Input[Dataset],
    models: Input[Artifact],
    evaluations: Input[Artifact],
    ensemble: Input[Model],
    decision: Input[Artifact],
    smoke: Input[Artifact],
    params: str,
    revision: str,
    report: Output[Artifact],
) -> None:
    """Writes the HTML report."""
    from components._kubeflow import execute

    execute("report", locals())
