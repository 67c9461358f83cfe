"""What every section of params.yaml has in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Base of all sections: immutable, unknown keys refused, no silent conversion from text."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
