"""The templates: Jinja2 files in the folders of the services, by their paths in this package.

All that they show is escaped, so a name from outside is always text.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.pages import drawing, words

_PACKAGE = Path(__file__).resolve().parent.parent


class Templates:
    """The templates of one server, each read when it is first needed."""

    def __init__(self, hopsworks: Hopsworks) -> None:
        """No template is read yet."""
        import jinja2  # only pages need it

        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_PACKAGE),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {
            "moment": words.moment,
            "duration": words.duration,
            "size": words.size,
            "number": words.number,
            "cell": words.cell,
            "short": words.short,
            "rounded": words.rounded,
            "counted": words.counted,
            "string_literal": repr,
            "as_json": words.as_json,
        }
        self._environment.globals |= {"drawing": drawing}

    def render(self, template: str, context: dict[str, Any]) -> str:
        """The text of a template, such as pages/templates/project.html."""
        return self._environment.get_template(template).render(context)
