"""The step as a Kubeflow task."""

from kfp import dsl
from kfp.dsl import Artifact, Input, Metrics, Model, Output

from components._kubeflow import BASE_IMAGE


@dsl.component(base_image=BASE_IMAGE, install_kfp_package=False)
def select(
    models: Input[Artifact],
    evaluations: Input[Artifact],
    params: str,
    revision: str,
    ensemble: Output[Model],
    metrics: Output[Metrics],
) -> None:
    """Chooses the ensemble on validation."""
    from components._kubeflow import execute, log_metrics

    execute("select", locals())
    log_metrics(metrics)
