c = get_config()  # noqa: F821
c.LabApp.default_url = "/lab/tree/notebooks/01_article.ipynb"
