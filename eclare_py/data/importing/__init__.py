"""Your own tables -> a checked data folder; see `import_table`."""

from eclare_py.data.importing.options import ImportOptions
from eclare_py.data.importing.report import ImportSummary
from eclare_py.data.importing.run import import_table
from eclare_py.data.importing.split import choose_test

__all__ = ["ImportOptions", "ImportSummary", "choose_test", "import_table"]
