"""IRMAS: training excerpts of 3 s with one predominant instrument, test excerpts of 5 to 20 s with one to five.

It says which instruments predominate, not which are absent: the other classes stay unknown.
"""

import re
from collections.abc import Iterable

from tutti.datasets.base import Archive, Clip, Contents, Layout, by_key, file_name, require_keys
from tutti.datasets.splits import carve_valid
from tutti.errors import DataError
from tutti.labels import IRMAS, OPENMIC_INDEX

# "008__[flu][nod][cla]0393__1": after the tags (instrument, drums where known, genre; "cla" is the clarinet in the
# first place and classical music in the last) come the number of the song and that of the excerpt.
_SONG = re.compile(r"\](\d+)__\d+$")
_EXCERPT = re.compile(r"-\d+$")


def song_of(stem: str) -> str:
    """The song that a training excerpt is from, by its file name without suffix; the name itself if it tells none."""
    match = _SONG.search(stem)
    return match.group(1) if match else stem


def read(contents: Contents) -> list[Clip]:
    """The training part (split ``train``, grouped by song) and the three test parts (split ``test``).

    Raises:
        DataError: A folder or label is no IRMAS code, a test excerpt lacks its labels, or labels lack their excerpt.
    """
    clips = []
    texts = {
        location.rpartition(".")[0]: location for location in contents.annotations if "IRMAS-TestingData" in location
    }
    for location in contents.audio:
        stem = file_name(location).rpartition(".")[0]
        folder = contents.inner(location).split("/")[-2:-1]
        if "IRMAS-TrainingData" in location:
            code = "".join(folder)
            clip = _clip(location, code, stem, "train", song_of(stem), _checked([code], f"the folder of {location}"))
        elif "IRMAS-TestingData" in location:
            text = texts.pop(location.rpartition(".")[0], None)
            if text is None:
                raise DataError(f"{location} has no .txt with its labels", hint="fetch the archive again")
            codes = _checked((line.strip() for line in contents.text(text).splitlines() if line.strip()), text)
            song = f"test-{_EXCERPT.sub('', stem)}"
            clip = _clip(location, "".join(folder), stem, "test", song, codes)
        else:
            raise DataError(
                f"{location} belongs to neither the training nor the testing part of IRMAS",
                expected="IRMAS-TrainingData[.zip] and IRMAS-TestingData-Part1 to 3[.zip]",
                hint="keep the publisher's names",
            )
        clips.append(clip)
    require_keys(texts.values(), (), "label file(s) without a recording", contents.where)
    by_key(((clip.key, clip.path) for clip in clips), "recordings")
    return clips


def _checked(codes: Iterable[str], where: str) -> tuple[str, ...]:
    codes = tuple(codes)
    unknown = [code for code in codes if code not in IRMAS]
    if unknown or not codes:
        raise DataError(
            f"{where} names an instrument outside the vocabulary",
            got=", ".join(unknown) or "nothing",
            expected=", ".join(IRMAS),
            hint="fetch the archive again",
        )
    return codes


def _clip(location: str, folder: str, stem: str, split: str, song: str, codes: tuple[str, ...]) -> Clip:
    present = {OPENMIC_INDEX[IRMAS[code]]: 1.0 for code in codes}
    return Clip(f"{folder}/{stem}", location, split, f"song-{song}", codes, present)


def _is_annotation(location: str) -> bool:
    readme = file_name(location).lower().startswith("readme")
    return location.endswith(".txt") and "IRMAS-TestingData" in location and not readme


_URL = "https://zenodo.org/record/1290750/files/{}?download=1"
_MD5 = {
    "IRMAS-TrainingData.zip": "4fd9f5ed5a18d8e2687e6360b5f60afe",
    "IRMAS-TestingData-Part1.zip": "5a2e65520dcedada565dff2050bb2a56",
    "IRMAS-TestingData-Part2.zip": "afb0c8ea92f34ee653693106be95c895",
    "IRMAS-TestingData-Part3.zip": "9b3fb2d0c89cdc98037121c25bd5b556",
}

LAYOUT = Layout(
    name="irmas",
    description=(
        "IRMAS: 6,705 three-second training excerpts of 11 predominant instruments from more than 2,000 recordings, "
        "and 2,874 test excerpts with one to five instruments each."
    ),
    licence="CC BY-NC-SA 3.0: non-commercial research, no redistribution",
    citation=(
        "J. J. Bosch, J. Janer, F. Fuhrmann, P. Herrera: A comparison of sound segregation techniques for predominant "
        "instrument recognition in musical audio signals. ISMIR 2012. doi:10.5281/zenodo.1290750"
    ),
    archives=tuple(Archive(name, _URL.format(name), md5) for name, md5 in _MD5.items()),
    is_annotation=_is_annotation,
    read=read,
    split=carve_valid,
    agreement="non-commercial use only; the recordings are not passed on",
)
