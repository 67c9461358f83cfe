"""Reading the two sides of the quality gate: the candidate's folder, and the champion that the registry names."""

import json
from pathlib import Path, PurePosixPath
from typing import Any

from tutti.bag import Bag, bag_digest, read_bag
from tutti.bundle import bundle_digest, read_contract, verify_files
from tutti.errors import ArtifactMismatch, TuttiError
from tutti.evaluation.gates import Contender
from tutti.evaluation.predictions import load_predictions
from tutti.evaluation.selection import PREDICTIONS
from tutti.files import sha256_file
from tutti.tasks import get_task

#: Names the champion: ``digest`` of its bag and ``path`` of its folder below the registry.
POINTER = "champion.json"


def read_candidate(folder: Path) -> tuple[Contender, dict[str, Any]]:
    """The ensemble that select wrote, with every file checked against its digest.

    Returns:
        The candidate, and on which data it was judged.

    Raises:
        ArtifactMismatch: There is no ensemble, or a member or the predictions are not the ones that were selected.
        DataError: The predictions cannot be read, or hold no test clips.
    """
    bag = read_bag(folder)
    for member in bag.members:
        path = folder / member.path
        got = bundle_digest(path)
        if got != member.digest:
            raise ArtifactMismatch(
                f"the member {member.name} of {folder} is not the one that was selected",
                got=f"sha256 {got}",
                expected=f"sha256 {member.digest}",
                hint="run the select step again",
            )
        verify_files(path, read_contract(path))
    predictions, expected = folder / PREDICTIONS, bag.provenance.get("data", {}).get(PREDICTIONS)
    if predictions.is_file() and sha256_file(predictions) != expected:
        raise ArtifactMismatch(
            f"{predictions} is not what was written when the ensemble was selected",
            got=f"sha256 {sha256_file(predictions)}",
            expected=f"sha256 {expected}",
            hint="run the select step again",
        )
    return _contender(folder, bag), bag.data


def read_champion(registry: Path | None) -> tuple[Contender | None, str | None]:
    """The champion, or why the one that the registry names cannot be judged.

    A broken champion is a reason to fail, not a reason to ship without comparing.

    Args:
        registry: The registry's folder; None or a folder without ``champion.json`` has no champion.

    Returns:
        The champion and None; None and None when there is none; None and the fault, in words, when it is broken.
    """
    if registry is None or not (registry / POINTER).is_file():
        return None, None
    advice = f"restore it, or remove {POINTER} to judge the candidate by the floors alone"
    try:
        pointer = json.loads((registry / POINTER).read_text(encoding="utf-8"))
        digest, path = str(pointer["digest"]), PurePosixPath(pointer["path"])
    except (OSError, ValueError, KeyError, TypeError):
        return None, f"{registry / POINTER} does not name a digest and a path: {advice}"
    if path.is_absolute() or ".." in path.parts:
        return None, f"{registry / POINTER} names a folder outside the registry ({path}): {advice}"
    folder = registry / path
    try:
        bag = read_bag(folder)
        got = bag_digest(folder)
        if got != digest:
            return None, f"the champion at {folder} was altered (its digest is {got[:12]}, not {digest[:12]}): {advice}"
        return _contender(folder, bag), None
    except TuttiError as error:
        return None, f"the champion at {folder} cannot be read ({error.what}): {advice}"


def _contender(folder: Path, bag: Bag) -> Contender:
    thresholds = tuple(bag.thresholds[name] for name in bag.labels)
    return Contender(
        bag_digest(folder), get_task(bag.task), thresholds, load_predictions(folder / PREDICTIONS).of("test")
    )
