"""The model zoo: each entry is a factory with presets and the facts a person wants before choosing it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from tutti.audio.windows import WindowPolicy
from tutti.errors import ConfigError
from tutti.frontends.base import FrontEndConfig
from tutti.tasks import get_task


@dataclass(frozen=True)
class Preset:
    """One size of a model.

    Attributes:
        front_end: What turns windows into its input.
        options: Keyword arguments of the factory.
        input_shape: Shape of one window's input, without the batch axis.
        trainable_params: Exact number of trained numbers for ``n_classes`` outputs; None for forests, whose size
            depends on the data.
        total_params: All parameters, frozen ones included; None likewise.
        window: How recordings are cut.
        cache: What the features step stores: the front end's output, or the samples as well when training redraws
            the front end's random parameters in every step.
        pretraining: Options that differ in the pretraining network.
        drop_last: Whether an epoch's last, partial batch is left out.
    """

    front_end: FrontEndConfig
    options: dict[str, Any]
    input_shape: tuple[int, ...]
    trainable_params: int | None
    total_params: int | None
    window: WindowPolicy = field(default_factory=WindowPolicy)
    cache: Literal["features", "samples"] = "features"
    pretraining: dict[str, Any] = field(default_factory=dict)
    drop_last: bool = False


Procedure = Literal["masked", "negatives", "enhanced"]

#: Builds a model with random weights from ``n_classes`` and a preset's options, all by name.
Factory = Callable[..., Any]


@dataclass(frozen=True)
class ModelEntry:
    """A registered model.

    Attributes:
        name: The name in params.yaml and on the command line.
        family: ``network`` (a torch module, see `tutti.models.network`) or ``forest`` (scikit-learn).
        task: What it decides, a name in `tutti.tasks`.
        system: The published system it belongs to, by the name of its section in docs/reproductions.md.
        summary: One line for people.
        paper: Where it was published.
        published: Published results by metric name, with their data.
        weights_licence: Licence of the public weights, None when there are none.
        pretraining: Name of the task it can be pretrained on (``irmas-9``), None when it has none.
        procedure: How its labels reach the loss: ``masked`` (unasked cells teach nothing), ``negatives`` (unasked cells
            count as absent), or ``enhanced`` (trained on ``negatives`` first, which then shows the likely absences).
        presets: ``paper`` and ``mini``; some also have ``published``, the network as it was run where that differs
            from what was described.
        factory: Builds the model from a preset's options.
    """

    name: str
    family: Literal["network", "forest"]
    task: str
    system: str
    summary: str
    paper: str
    published: dict[str, str]
    weights_licence: str | None
    pretraining: str | None
    procedure: Procedure
    presets: dict[str, Preset]
    factory: Factory

    @property
    def n_classes(self) -> int:
        """Outputs of its task."""
        return len(get_task(self.task).labels)

    def preset(self, name: str) -> Preset:
        """The preset of that name.

        Raises:
            ConfigError: There is none.
        """
        if name not in self.presets:
            raise ConfigError(f"{self.name} has no preset {name!r}", expected=", ".join(self.presets))
        return self.presets[name]

    def build(self, preset: str, *, n_classes: int | None = None) -> Any:
        """A model with random weights; ``n_classes`` defaults to the task's."""
        return self.factory(n_classes=n_classes or self.n_classes, **self.preset(preset).options)

    def build_pretraining(self, preset: str, *, n_classes: int) -> Any:
        """The pretraining network with random weights."""
        chosen = self.preset(preset)
        return self.factory(n_classes=n_classes, **chosen.options | chosen.pretraining)


_MODELS: dict[str, ModelEntry] = {}


def register_model(
    name: str,
    *,
    family: Literal["network", "forest"],
    presets: dict[str, Preset],
    summary: str,
    paper: str,
    task: str = "openmic-20",
    system: str = "",
    published: dict[str, str] | None = None,
    weights_licence: str | None = None,
    pretraining: str | None = None,
    procedure: Procedure = "masked",
) -> Callable[[Factory], Factory]:
    """Function decorator: adds the factory to the zoo under ``name``."""

    def register(factory: Factory) -> Factory:
        if name in _MODELS:
            raise ValueError(f"model {name!r} is registered twice")
        _MODELS[name] = ModelEntry(
            name=name,
            family=family,
            task=task,
            system=system,
            summary=summary,
            paper=paper,
            published=published or {},
            weights_licence=weights_licence,
            pretraining=pretraining,
            procedure=procedure,
            presets=presets,
            factory=factory,
        )
        return factory

    return register


def get_model(name: str) -> ModelEntry:
    """The entry of that name.

    Raises:
        ConfigError: There is none; the message lists those there are.
    """
    if name not in _MODELS:
        raise ConfigError(f"there is no model {name!r}", expected=", ".join(sorted(_MODELS)), hint="see `tutti models`")
    return _MODELS[name]


def list_models() -> list[ModelEntry]:
    """All entries, by name."""
    return [_MODELS[name] for name in sorted(_MODELS)]
