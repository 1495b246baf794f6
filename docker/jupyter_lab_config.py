c = get_config()  # noqa: F821
c.LabApp.default_url = "/lab/tree/notebooks/00_start_here.ipynb"
