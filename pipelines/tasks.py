"""The tasks that only a Kubeflow pipeline needs: collecting what one task per model made, and ending a failed run."""

from kfp import dsl
from kfp.dsl import Artifact, Input, Model, Output

from components._kubeflow import BASE_IMAGE


@dsl.component(base_image=BASE_IMAGE, install_kfp_package=False)
def gather(
    model: str,
    bundle: Input[Model],
    evaluation: Input[Artifact],
    models: Output[Artifact],
    evaluations: Output[Artifact],
    models_before: Input[Artifact] = None,
    evaluations_before: Input[Artifact] = None,
) -> None:
    """Adds one model to the folders of all models.

    A component cannot take a list of artifacts that separate tasks made, so a chain of these, one per model, builds the
    folders that the later steps read. They hold what DVC's artifacts/candidates holds.
    """
    import shutil
    from pathlib import Path

    for made, before, target in (
        (bundle, models_before, models),
        (evaluation, evaluations_before, evaluations),
    ):
        folder = Path(target.path)
        if before is not None:
            shutil.copytree(before.path, folder)
        shutil.copytree(made.path, folder / model)


@dsl.component(base_image=BASE_IMAGE, install_kfp_package=False)
def reject(decision: Input[Artifact]) -> None:
    """Ends the run as failed, with the gate's reasons: nothing is packed and the champion stays."""
    import json
    from pathlib import Path

    from components._kubeflow import stop
    from components.gate.step import verdict
    from tutti.errors import GateFailed

    try:
        verdict(json.loads(Path(decision.path).read_text(encoding="utf-8")))
    except GateFailed as error:
        stop("gate", error)
