"""Pages of our own: one file each, with style and charts inside, so that they can be read with no network."""

from typing import Any


def render(template: str, **values: Any) -> str:
    """The text of a page.

    Args:
        template: Name of a file in ``templates``.
        values: What it shows.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tutti", "validation/templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(template).render(**values)
