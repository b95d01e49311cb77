"""What ci/fuzz does after the build: replay, fuzz with a live table, report."""
