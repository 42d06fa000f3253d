"""Small repairs of the theme and of other extensions, each with its reason."""

from __future__ import annotations

from sphinx.application import Sphinx
from sphinx.config import Config


def _one_mathjax(app: Sphinx, config: Config) -> None:
    # Jupyter Book puts every script below _static into every page, MathJax's too;
    # Sphinx loads that where there is a formula, and once is enough.
    config.html_js_files = [
        script for script in config.html_js_files if "mathjax/" not in str(script)
    ]


def _print_as_html(app: Sphinx) -> None:
    # sphinx-exercise names the builder singlehtml and thereby hides what everybody
    # else registered for html (jupyter-book issue 2322).
    handlers = app.registry.translation_handlers
    if "singlehtml" in handlers:
        handlers["singlehtml"] = {**handlers["html"], **handlers["singlehtml"]}


def register(app: Sphinx) -> None:
    """Take part in the build."""
    # Jupyter Book sets these two even where the extensions that read them are left out.
    app.add_config_value("comments_config", {}, "html", [dict])
    app.add_config_value("use_jupyterbook_latex", False, "env", [bool])
    app.connect("config-inited", _one_mathjax)
    app.connect("builder-inited", _print_as_html)
