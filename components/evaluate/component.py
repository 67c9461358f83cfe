"""The step as a Kubeflow task."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Metrics, Model, Output

from components._kubeflow import BASE_IMAGE


@dsl.component(base_image=BASE_IMAGE, install_kfp_package=False)
def evaluate(
    features: Input[Dataset],
    model: str,
    bundle: Input[Model],
    params: str,
    revision: str,
    evaluation: Output[Artifact],
    metrics: Output[Metrics],
) -> None:
    """Measures one model on validation and test."""
    from components._kubeflow import execute, log_metrics

    execute("evaluate", locals())
    log_metrics(metrics)
