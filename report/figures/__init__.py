"""Every figure of the report."""
