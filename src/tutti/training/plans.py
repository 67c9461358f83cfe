"""What the features step has to store for the models of a run: a set per task, with its windows and front ends."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tutti.audio.windows import WindowPolicy
from tutti.config import Config
from tutti.errors import ConfigError
from tutti.frontends import FrontEndConfig
from tutti.models import ModelEntry, Preset, get_model
from tutti.tasks import get_task

#: A sample rate in Hz and a number of channels.
Signal = tuple[int, int]

#: IRMAS' training clips last three seconds.
IRMAS_WINDOW = WindowPolicy(length_s=3.0, hop_s=3.0)


@dataclass(frozen=True)
class Plan:
    """What one set holds.

    Attributes:
        window: How clips are cut.
        front_ends: Whose outputs are stored.
        stored_signals: Which signals are stored, too, for models that redraw their front end in training.
        frames: Frames of a window, where every frame has labels of its own; None where the window has them.
    """

    window: WindowPolicy
    front_ends: tuple[FrontEndConfig, ...]
    stored_signals: tuple[Signal, ...] = ()
    frames: int | None = None

    @property
    def signals(self) -> list[Signal]:
        """Every signal that is computed with or stored; none where every front end's output comes with the dataset."""
        return sorted({config.signal for config in self.computed} | set(self.stored_signals))

    @property
    def computed(self) -> tuple[FrontEndConfig, ...]:
        """The front ends whose outputs are computed from samples."""
        return tuple(config for config in self.front_ends if not config.stored)

    @property
    def shipped(self) -> tuple[FrontEndConfig, ...]:
        """The front ends whose outputs come with the dataset."""
        return tuple(config for config in self.front_ends if config.stored)


@dataclass(frozen=True)
class _Use:
    """One model that reads a set."""

    model: str
    window: WindowPolicy
    preset: Preset


def plan_sets(config: Config) -> dict[str, Plan]:
    """The sets that training and pretraining of the run's models read, by task.

    Raises:
        ConfigError: A model is unknown, or two models of one task cut recordings differently.
    """
    uses: dict[str, list[_Use]] = {}
    for name, params in config.models.items():
        entry = get_model(config.registry_name(name))
        preset = entry.preset(params.preset)
        uses.setdefault(entry.task, []).append(_Use(name, preset.window, preset))
        if params.pretrain is not None and entry.pretraining is not None:
            window = pretraining_window(entry, preset)
            uses.setdefault(entry.pretraining, []).append(_Use(name, window, preset))
    return {task: _plan(task, found) for task, found in sorted(uses.items())}


def pretraining_window(entry: ModelEntry, preset: Preset) -> WindowPolicy:
    """How the clips of a model's pretraining are cut: as long as IRMAS', or like its own on a task of its kind."""
    return IRMAS_WINDOW if entry.pretraining == "irmas-9" else preset.window


def _plan(task: str, uses: Iterable[_Use]) -> Plan:
    uses = list(uses)
    if len({use.window for use in uses}) != 1:
        raise ConfigError(
            f"the models of the task {task} must cut recordings alike",
            got="; ".join(f"{use.model}: {use.window.length_s:g} s" for use in uses),
            hint="put the models with another window into a run of their own",
        )
    frames = {use.preset.input_shape[0] for use in uses} if get_task(task).frames else {None}
    if len(frames) != 1:
        raise ConfigError(
            f"the models of the task {task} must have equally many frames in a window",
            got="; ".join(f"{use.model}: {use.preset.input_shape[0]}" for use in uses),
        )
    return Plan(
        window=uses[0].window,
        front_ends=tuple({use.preset.front_end.key: use.preset.front_end for use in uses}.values()),
        stored_signals=tuple(sorted({u.preset.front_end.signal for u in uses if u.preset.cache == "samples"})),
        frames=frames.pop(),
    )


def describe_plans(plans: Mapping[str, Plan]) -> dict[str, dict[str, object]]:
    """The plans as JSON-able values, so that a change of them can be told."""
    return {
        task: {
            "window": plan.window.model_dump(mode="json"),
            "front_ends": {front_end.key: front_end.model_dump(mode="json") for front_end in plan.front_ends},
            "stored_signals": [list(signal) for signal in plan.stored_signals],
            "frames": plan.frames,
        }
        for task, plan in plans.items()
    }
