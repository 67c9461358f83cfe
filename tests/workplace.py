"""A package of untrained models, with everything it was made from: the folders of a run up to the package step."""

from dataclasses import dataclass
from pathlib import Path

from components.package import step
from tests.corpus import make_corpus
from tests.tiny import write_real_bag
from tutti.bag import bag_digest
from tutti.config import Config
from tutti.datasets import build_manifest
from tutti.datasets.manifest import save_manifest
from tutti.files import write_json


@dataclass(frozen=True)
class Workplace:
    root: Path
    config: Config

    @property
    def inputs(self) -> step.Inputs:
        return step.Inputs(
            ensemble=self.root / "ensemble",
            decision=self.root / "decision.json",
            data=self.root / "data",
            manifest=self.root / "manifest",
        )

    @property
    def package(self) -> Path:
        return self.root / "package"


def make_workplace(root: Path, config: Config) -> Workplace:
    write_real_bag(root / "ensemble")
    make_corpus(root / "data")
    manifest, _, datasets = build_manifest(root / "data", config.data, config.seed)
    save_manifest(manifest, root / "manifest" / "manifest.parquet")
    write_json(root / "manifest" / "datasets.json", datasets)
    write_json(root / "decision.json", {"passed": True, "candidate": bag_digest(root / "ensemble"), "reasons": []})
    made = Workplace(root, config)
    step.run(made.inputs, step.Outputs(package=made.package), config)
    return made
