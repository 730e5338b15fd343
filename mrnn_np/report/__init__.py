"""Reports: one HTML file with everything inside, to look at in any browser.

Knows: how results are shown. Does not know: how they were computed. A page needs no
network, no script and no file beside it.
"""

from mrnn_np.report.charts import line_chart
from mrnn_np.report.page import Page, page_output, table
from mrnn_np.report.retrieval_wall import add_retrieval
from mrnn_np.report.walls import caption_wall

__all__ = [
    "Page",
    "add_retrieval",
    "caption_wall",
    "line_chart",
    "page_output",
    "table",
]
