"""The report of an evaluation: one HTML file, or Markdown with its plots beside it.

Importing this package imports jinja2, lxml and matplotlib.
"""

from trainer.evaluation.report.html import html_report, html_training_report
from trainer.evaluation.report.markdown import markdown_report, plots_folder, write_markdown_report

__all__ = ["html_report", "html_training_report", "markdown_report", "plots_folder", "write_markdown_report"]
