"""Figures of the training of networks."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from tutti.reports.data import Member, ReportData
from tutti.reports.style import ACCENT, CONTRAST, INK, MUTED, Plate, grid_lines, new_figure, themed

#: Column of the history to the score's name: a network's history has the first that its task defines.
_SCORES = {"valid_map": "mAP", "valid_accuracy": "accuracy", "valid_micro_f1": "micro F1"}


def chosen_epoch(history: pd.DataFrame, select_by: str) -> int:
    """The epoch whose weights were kept: the best by ``select_by`` on validation, the earliest of equals.

    Where that score is undefined in every epoch the loss decides, as in training.
    """
    column = f"valid_{select_by}"
    if select_by == "loss" or column not in history or history[column].isna().all():
        best = history["valid_loss"].to_numpy(float).argmin()
    else:
        best = np.nanargmax(history[column].to_numpy(float))
    return int(history["epoch"].to_list()[int(best)])


def _end_label(axes: Axes, table: pd.DataFrame, column: str, text: str, colour: str) -> None:
    known = table[column].dropna()
    if len(known):
        epoch = table.loc[known.index[-1], "epoch"]
        axes.annotate(
            text, (epoch, known.iloc[-1]), (5, 0), textcoords="offset points", va="center", color=colour, fontsize=9
        )


def _draw_score(axes: Axes, history: pd.DataFrame, column: str, best: int) -> None:
    last, value = float(history["epoch"].max()), float(history.loc[history["epoch"] == best, column].iloc[0])
    axes.plot(history["epoch"], history[column], color=ACCENT, marker="o", markersize=3)
    axes.plot(best, value, "o", color=ACCENT, markersize=9, markerfacecolor="white", markeredgewidth=2)
    axes.annotate(
        f"epoch {best}: {value:.3f}", (best, value), (0, 9), textcoords="offset points", color=INK, fontsize=9,
        ha="left" if best < last / 3 else "right" if best > last * 2 / 3 else "center",
    )  # fmt: skip


def _draw(loss: Axes, score: Axes, name: str, history: pd.DataFrame, best: int) -> None:
    epochs = history["epoch"]
    for column, text, colour in (("train_loss", "train", MUTED), ("valid_loss", "validation", CONTRAST)):
        loss.plot(epochs, history[column], color=colour, marker="o", markersize=3)
        _end_label(loss, history, column, text, colour)
    last = float(epochs.max())
    scored = next((column for column in _SCORES if column in history), None)
    if scored is not None:
        _draw_score(score, history, scored, best)
    else:
        score.text(0.5, 0.5, "undefined on this validation split", transform=score.transAxes, ha="center", color=MUTED)
    for axes in (loss, score):
        axes.axvline(best, color=MUTED, linewidth=0.8, linestyle=(0, (2, 3)), zorder=0)
    loss.set(title=f"{name}: loss", ylim=(0, None))
    score.set(title=f"{name}: validation {_SCORES[scored or 'valid_map']}", ylim=(0, 1.05))
    for axes in (loss, score):
        axes.set(xlim=(0.5, last + 0.5 + (0.28 * last if axes is loss else 0)), xlabel="epoch")
        axes.set_xticks(range(1, int(last) + 1, max(1, round(last / 8))))
        grid_lines(axes, "y")


def _select_by(data: ReportData, member: Member) -> str:
    params = data.params.models.get(member.scores.name)
    return params.train.select_by if params is not None and params.train is not None else "map"


@themed
def training_curves(data: ReportData) -> Plate | None:
    """Losses and the validation score by epoch, one row per network; None when no network was trained."""
    networks = [
        (member.scores.name, member.history, chosen_epoch(member.history, _select_by(data, member)))
        for member in data.models
        if member.history is not None
    ]
    if not networks:
        return None
    figure = new_figure(2.7 * len(networks))
    panels = figure.subplots(len(networks), 2, squeeze=False)
    for (loss, score), (name, history, best) in zip(panels, networks, strict=True):
        _draw(loss, score, name, history, best)
    names = " and ".join(name for name, *_ in networks)
    return Plate(
        name="training",
        title="Training",
        caption=f"{names}: loss and score on {data.ensemble.describe('valid')}. The ring is the epoch "
        "whose weights were kept.",
        alt="; ".join(f"{name} trained {len(history)} epochs and kept epoch {best}" for name, history, best in networks)
        + ".",
        figure=figure,
    )
