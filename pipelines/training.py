"""The training pipeline for Kubeflow: the steps that DVC runs, one task per model side by side.

1. validate the data, 2. mix synthetic recordings, 3. compute features, 4. pretrain, train and evaluate each model,
5. gather the models and choose the ensemble, 6. gate; when it passes: 7. package, 8. smoke-test, 9. publish,
10. report; when it fails: the run ends as failed, with the reasons. Models that are no candidates of the ensemble only
end up on the page of the published systems.

The models are known when the pipeline is compiled, so a plain loop makes their tasks, and each gets resources of its
own. The datasets are no artifacts: ``data`` is a folder that every task can read (a volume on a cluster), and
``revision``, which names the data's and the code's version, is an argument of every task so that cached results of
other versions are not taken.
"""

from collections.abc import Callable
from typing import Any

from kfp import dsl

from components.evaluate.component import evaluate
from components.features.component import features
from components.gate.component import gate
from components.mix.component import mix
from components.package.component import package
from components.pretrain.component import pretrain
from components.publish.component import publish
from components.report.component import report
from components.select.component import select
from components.smoke.component import smoke
from components.systems.component import systems
from components.train.component import train
from components.validate.component import validate
from pipelines.resources import Images, ResourceTable, apply
from pipelines.tasks import gather, reject
from tutti.config import Config, ModelParams, parse_config

NAME = "tutti-training"


class _Tasks:
    """Makes tasks with what they all share."""

    def __init__(self, params: Any, revision: Any, resources: ResourceTable, images: Images) -> None:
        self._shared = {"params": params, "revision": revision}
        self._resources = resources
        self._images = images

    def __call__(
        self,
        component: Any,
        *,
        model: str = "",
        trains: ModelParams | None = None,
        cached: bool = True,
        **arguments: Any,
    ) -> Any:
        """A task of ``component``.

        Args:
            component: The Kubeflow component; its name is the step's.
            model: The model it is about, for tasks of one model.
            trains: The parameters of the model, when the task trains it.
            cached: Whether an earlier result for the same arguments may stand in; not for tasks with side effects.
            **arguments: Its arguments, beside those that all tasks share.
        """
        if model:
            arguments["model"] = model
        shared = {name: value for name, value in self._shared.items() if name in component.component_spec.inputs}
        task = component(**shared, **arguments)
        apply(task, self._resources.of(component.name, trains), self._images)
        task.set_display_name(f"{component.name} {model}".strip())
        return task if cached else task.set_caching_options(False)


def _train_models(make: _Tasks, config: Config, features_of: Any) -> tuple[Any, Any]:
    """Tasks that train and measure every model, the candidates of the ensemble first.

    Returns:
        Two tasks of the chain that gathers the models: that whose folders hold the candidates, and the last one, whose
        folders hold all models.
    """
    before: dict[str, Any] = {}
    gathered = candidates = None
    others = [name for name in config.models if name not in config.select.models]
    for name in [*config.select.models, *others]:
        params = config.model_params(name)
        start = {}
        if params.pretrain is not None:
            source = make(pretrain, model=name, trains=params, features=features_of)
            start = {"pretrained": source.outputs["pretrained"]}
        trained = make(train, model=name, trains=params, features=features_of, **start)
        bundle = trained.outputs["bundle"]
        measured = make(evaluate, model=name, features=features_of, bundle=bundle)
        gathered = make(
            gather,
            model=name,
            bundle=bundle,
            evaluation=measured.outputs["evaluation"],
            **before,
        )
        before = {f"{output}_before": gathered.outputs[output] for output in ("models", "evaluations")}
        if name == config.select.models[-1]:
            candidates = gathered
    return candidates, gathered


def training_pipeline(params_text: str, resources: ResourceTable, images: Images) -> Callable[..., Any]:
    """The pipeline for the models in ``params_text``.

    Args:
        params_text: The text of params.yaml; also the default of the pipeline's parameter ``params``.
        resources: What each task gets.
        images: What each task runs in.

    Returns:
        A Kubeflow pipeline, to be compiled or, under kfp.local, called.

    Raises:
        ConfigError: The parameters are wrong.
    """
    config = parse_config(params_text)

    @dsl.pipeline(name=NAME, description="Trains, compares, gates, smoke-tests and publishes instrument recognisers.")
    def pipeline(data: str, registry: str, params: str = params_text, revision: str = "") -> None:
        make = _Tasks(params, revision, resources, images)
        validated = make(validate, data=data)
        manifest = validated.outputs["manifest"]
        mixtures = make(mix, data=data, manifest=manifest).outputs["mixtures"]
        features_of = make(features, data=data, manifest=manifest, mixtures=mixtures).outputs["features"]
        candidates, everything = _train_models(make, config, features_of)
        models, evaluations = candidates.outputs["models"], candidates.outputs["evaluations"]
        if everything is not candidates:
            make(
                systems,
                manifest=manifest,
                features=features_of,
                models=everything.outputs["models"],
                evaluations=everything.outputs["evaluations"],
                data=data,
            )
        selected = make(select, models=models, evaluations=evaluations)
        ensemble = selected.outputs["ensemble"]
        # The champion that the candidate is held against may change between runs.
        gated = make(gate, ensemble=ensemble, registry=registry, cached=False)
        decision = gated.outputs["decision"]
        with dsl.If(gated.outputs["Output"] == "pass", name="gate passed"):
            packed = make(package, ensemble=ensemble, decision=decision, data=data, manifest=manifest).outputs[
                "package"
            ]
            smoked = make(smoke, package=packed, cached=False).outputs["result"]
            make(
                publish,
                package=packed,
                ensemble=ensemble,
                decision=decision,
                smoke=smoked,
                registry=registry,
                cached=False,
            )
            make(
                report,
                manifest=manifest,
                validation=validated.outputs["summary"],
                mixtures=mixtures,
                models=models,
                evaluations=evaluations,
                ensemble=ensemble,
                decision=decision,
                smoke=smoked,
            )
        with dsl.Else(name="gate failed"):
            make(reject, decision=decision, cached=False)

    return pipeline
