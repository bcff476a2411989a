"""The site: `sphinx-build -W -n docs site` with the extra `docs`, or `nox -s docs`."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
PROJECT = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]

# What pages and examples import, and by which extra it comes: said at once, and not by a page that fails after minutes.
NEEDS = {"matplotlib": "demo", "sklearn": "demo", "dask": "dask", "torch": "torch", "jax": "jax", "asv": "bench",
         "numpydoc": "docs", "myst_parser": "docs", "sphinx_gallery": "docs", "sphinx_design": "docs",
         "sphinx_copybutton": "docs", "pydata_sphinx_theme": "docs"}
missing = [name for name in NEEDS if importlib.util.find_spec(name) is None]
if missing:
    sys.exit(f'The site needs {", ".join(missing)}: pip install "xentfast[docs]"')

from sphinx_gallery.sorting import ExplicitOrder  # noqa: E402
from threadpoolctl import threadpool_limits  # noqa: E402       (scikit-learn brings it)

import xentfast as xf  # noqa: E402

# The examples' products are small: on a busy machine BLAS's threads would wait for each other ten times as long as they compute.
threadpool_limits(1, user_api="blas")

project, author, copyright = PROJECT["name"], PROJECT["authors"][0]["name"], "The xentfast developers"
version = release = xf.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc", "sphinx_gallery.gen_gallery",
              "sphinx_design", "sphinx_copybutton", "matplotlib.sphinxext.plot_directive", "sphinx.ext.mathjax"]
templates_path = ["_templates"]
exclude_patterns = ["**/plots", *(f"examples/**/*.{kind}" for kind in ("ipynb", "py", "md5", "codeobj.json"))]

myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist", "attrs_block", "attrs_inline"]
myst_heading_anchors = 3

# Types in docstrings are words ("array_like"), not names of pages.
autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
# Single backticks are links where they name something public, else emphasis. Other libraries' pages are not known here.
default_role = "autolink"
nitpick_ignore_regex = [("py:obj", r"(numpy|scipy|torch|jax|functools)\..+")]

plot_formats = ["svg"]
plot_html_show_formats = plot_html_show_source_link = False
plot_include_source = False
plot_rcparams = {"figure.figsize": (7.2, 2.9), "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
                 "grid.alpha": 0.3, "legend.frameon": False, "figure.constrained_layout.use": True}
plot_apply_rcparams = True

sphinx_gallery_conf = {
    "examples_dirs": "../examples/gallery",
    "gallery_dirs": "examples",
    "within_subsection_order": ExplicitOrder([f"plot_{name}.py" for name in (
        "digits", "attention", "autoencoder", "language_model", "imbalance", "regularisation", "calibration", "distillation",
        "signals", "shards", "dask")]),
    "doc_module": ("xentfast",),
    "reference_url": {"xentfast": None},
    "backreferences_dir": "reference/examples",
    "abort_on_example_error": True,
    "image_srcset": ["2x"],
    "capture_repr": (),                     # pictures, and what is printed; not the last expression
    "min_reported_time": 1,
    "show_memory": False,
    "download_all_examples": False,
    "remove_config_comments": True,
}

html_theme = "pydata_sphinx_theme"
html_title = "xentfast"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {"github_url": PROJECT["urls"]["Homepage"], "navigation_with_keys": False, "show_toc_level": 2,
                      "footer_start": ["copyright"], "footer_end": ["theme-version"], "secondary_sidebar_items": ["page-toc"]}
html_sidebars = {"index": [], "changelog": []}


def to_repository(app, page, source):
    """Links to files that are no pages, which work as they stand where the repository is read, lead there from the site."""
    folder = Path(app.srcdir, page).parent

    def address(match):
        target = Path(os.path.normpath(folder / match[1]))
        if target.suffix in (".md", ".rst") and target.is_relative_to(HERE) or not target.exists():
            return match[0]
        return f"]({PROJECT['urls']['Homepage']}/blob/main/{target.relative_to(HERE.parent)})"
    source[0] = re.sub(r"\]\((\.\.?/[^)#]*)\)", address, source[0])


def shorter_signature(app, what, name, obj, options, signature, returns):
    """The dtype of weights as users type it."""
    return signature and signature.replace("<class 'numpy.float32'>", "numpy.float32"), returns


def publish_history(app, error):
    """The pages that `asv publish` makes of the committed results, where the clone has the commits that they are of."""
    if error or app.builder.format != "html":
        return
    target, settings = Path(app.outdir, "performance/history"), HERE.parent / "asv_benchmarks/history/asv.conf.json"
    first = settings.with_name("commits.txt").read_text().split()[0]
    shutil.rmtree(target, ignore_errors=True)
    if subprocess.run(["git", "-C", str(HERE), "cat-file", "-e", first], capture_output=True).returncode:
        target.mkdir(parents=True)
        (target / "index.html").write_text("<!doctype html><title>xentfast</title><p>This copy of the site was built from "
                                           "sources without their history.</p>")
        return
    subprocess.run([sys.executable, "-m", "asv", "publish", "--config", str(settings), "--html-dir", str(target)], check=True,
                   stdout=subprocess.DEVNULL)


def setup(app):
    app.connect("build-finished", publish_history)
    app.connect("source-read", to_repository)
    app.connect("autodoc-process-signature", shorter_signature)
